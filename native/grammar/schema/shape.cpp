#include "grammar/schema/shape.h"

#include <algorithm>
#include <functional>

namespace cachalot {

namespace {

using Kind = Fact::Kind;

void set_lower(Shape* shape, const Fact& fact) {
  auto& lower = shape->numbers.lower;
  if (lower && (lower->value > fact.number || (lower->value == fact.number && lower->is_open)))
    return;
  lower = {fact.number, fact.is_open};
}

void set_upper(Shape* shape, const Fact& fact) {
  auto& upper = shape->numbers.upper;
  if (upper && (upper->value < fact.number || (upper->value == fact.number && upper->is_open)))
    return;
  upper = {fact.number, fact.is_open};
}

void keep_listed(Shape* shape, const Fact& fact) {
  const auto is_listed = [&](const Literal& literal) {
    return std::ranges::find(fact.literals, literal) != fact.literals.end();
  };
  if (shape->is_listed) std::erase_if(shape->literals, std::not_fn(is_listed));
  else shape->literals = fact.literals;
  shape->is_listed = true;
}

void exclude(Shape* shape, const Fact& fact) {
  shape->types &= static_cast<TypeSet>(~fact.types);
  for (const Literal& literal : fact.literals) {
    if (literal.is_text) shape->not_texts.insert(literal.text);
    else shape->numbers.excluded.push_back(literal.number);
  }
}

void apply_to_parts(Shape* shape, const Fact& fact) {
  switch (fact.kind) {
    case Kind::kLeastItems: shape->least_items = std::max(shape->least_items, fact.from); break;
    case Kind::kMostItems: shape->most_items = std::min(shape->most_items, fact.from); break;
    case Kind::kEveryItem: shape->items.push_back({fact.from, fact.to, fact.claim}); break;
    case Kind::kSomeItem: shape->some_items.push_back({fact.from, fact.to, fact.claim}); break;
    case Kind::kUniqueItems: shape->has_unique_items = true; break;
    case Kind::kLeastKeys: shape->least_keys = std::max(shape->least_keys, fact.from); break;
    case Kind::kMostKeys: shape->most_keys = std::min(shape->most_keys, fact.from); break;
    case Kind::kRequired: shape->required.insert(fact.keys.names.front()); break;
    case Kind::kForbidden: shape->forbidden.insert(fact.keys.names.front()); break;
    case Kind::kEveryKey: shape->keys.push_back({fact.keys, fact.claim}); break;
    case Kind::kSomeKey: shape->some_keys.push_back({fact.keys, fact.claim}); break;
    case Kind::kKeyNames: shape->key_names.push_back(fact.claim); break;
    default: break;
  }
}

void apply(Shape* shape, const Fact& fact) {
  switch (fact.kind) {
    case Kind::kLower: set_lower(shape, fact); break;
    case Kind::kUpper: set_upper(shape, fact); break;
    case Kind::kMultiple: shape->numbers.multiples.push_back(fact.number); break;
    case Kind::kLeastLength: shape->least_length = std::max(shape->least_length, fact.from); break;
    case Kind::kMostLength: shape->most_length = std::min(shape->most_length, fact.from); break;
    case Kind::kPattern: shape->patterns.insert(fact.pattern); break;
    case Kind::kNotPattern: shape->not_patterns.insert(fact.pattern); break;
    case Kind::kLiterals: keep_listed(shape, fact); break;
    case Kind::kNotLiterals: exclude(shape, fact); break;
    default: apply_to_parts(shape, fact);
  }
}

}  // namespace

Shape shape_of(TypeSet types, std::span<const Fact* const> facts) {
  Shape shape{.types = types};
  for (const Fact* fact : facts) apply(&shape, *fact);
  shape.numbers.integers = (shape.types & kIntegerType) != 0;
  shape.numbers.fractions = (shape.types & kFractionType) != 0;
  std::ranges::sort(shape.numbers.multiples);
  shape.numbers.multiples.erase(
      std::unique(shape.numbers.multiples.begin(), shape.numbers.multiples.end()),
      shape.numbers.multiples.end());
  return shape;
}

std::vector<Claim> Shape::item_claims(int64_t index) const {
  std::vector<Claim> claims;
  for (const ItemRule& rule : items)
    if (rule.from <= index && index <= rule.to) claims.push_back(rule.claim);
  return claims;
}

int64_t Shape::first_alike() const {
  int64_t first = 0;
  for (const auto& rules : {items, some_items})
    for (const ItemRule& rule : rules)
      first = std::max({first, rule.from, rule.to == kUnlimited ? 0 : rule.to + 1});
  return first;
}

}  // namespace cachalot
