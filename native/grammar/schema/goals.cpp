#include "grammar/schema/goals.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/schema/alternatives.h"
#include "grammar/schema/key_classes.h"
#include "grammar/schema/settling.h"

namespace cachalot {

namespace {

constexpr size_t kMostGoals = 20'000;
constexpr int kMostDepth = 400;
constexpr size_t kMostCompared = 200'000'000;  // names with names

template <typename Rule>
uint32_t all_of(const std::vector<Rule>& rules) {
  if (rules.size() <= Settling::kMost) return (1u << rules.size()) - 1;
  throw Error(
      ErrorCode::kInvalidArgument,
      "more than 4 parts of a value that have to come somewhere (\"contains\", or the opposite "
      "of what holds for all) are not supported");
}

/** Which of the rules a part with claims may settle at once. */
template <typename Rule, typename Satisfiable, typename MaySettle>
std::vector<uint32_t> sets_to_settle(const std::vector<Rule>& rules,
                                     const std::vector<Claim>& claims, const Satisfiable& part,
                                     const MaySettle& may_settle) {
  std::vector<uint32_t> sets;
  for (uint32_t set = 0; set <= all_of(rules); set++) {
    auto all = claims;
    bool fits = true;
    for (size_t i = 0; i < rules.size(); i++) {
      if ((set >> i & 1) == 0) continue;
      fits = fits && may_settle(rules[i]);
      all.push_back(rules[i].claim);
    }
    if (fits && part(std::move(all))) sets.push_back(set);
  }
  return sets;
}

}  // namespace

GoalId Goals::goal_of(std::vector<Claim> claims) {
  std::erase(claims, kAnything);
  std::ranges::sort(claims);
  claims.erase(std::unique(claims.begin(), claims.end()), claims.end());
  const auto [at, is_new] = known_.try_emplace(claims, static_cast<GoalId>(goals_.size()));
  if (!is_new) return at->second;
  if (goals_.size() == kMostGoals)
    throw Error(ErrorCode::kInvalidArgument,
                "it asks for more than 20,000 different kinds of values");
  goals_.push_back(std::make_unique<Goal>(Goal{std::move(claims), {}, Known::kUnknown}));
  return at->second;
}

const std::string& Goals::where(GoalId goal) const {
  const auto& claims = goals_[static_cast<size_t>(goal)]->claims;
  return schema_.nodes[claims.empty() ? 0 : node_of(claims.back())].where;
}

const std::vector<Shape>& Goals::shapes(GoalId goal) {
  Goal& one = *goals_[static_cast<size_t>(goal)];
  if (one.shapes) return *one.shapes;
  const MayOverlap overlap = [this](Claim a, Claim b) { return may_overlap(a, b); };
  auto shapes = alternatives_of(schema_, one.claims, overlap, &n_steps_);
  try {
    for (Shape& shape : shapes) drop_empty_types(&shape);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(error.what()) + ", at " + where(goal));
  }
  std::erase_if(shapes, [](const Shape& shape) { return shape.types == 0; });
  return one.shapes.emplace(std::move(shapes));
}

void Goals::drop_empty_types(Shape* shape) {
  const auto drop = [&](TypeSet types) { shape->types &= static_cast<TypeSet>(~types); };
  if ((shape->types & kNumberTypes) == 0) shape->numbers = {};
  const NumberRules numbers(shape->numbers);
  if (shape->is_listed) {
    const TextRules texts = texts_of(*shape);
    std::erase_if(shape->literals, [&](const Literal& literal) {
      const TypeSet types = literal.is_text ? kTextType : kNumberTypes;
      if ((shape->types & types) == 0) return true;
      return !(literal.is_text ? texts.fits(literal.text) : numbers.fits(literal.number));
    });
    const auto has = [&](bool is_text) {
      return std::ranges::count(shape->literals, is_text, &Literal::is_text) > 0;
    };
    if (!has(true)) drop(kTextType);
    if (!has(false)) drop(kNumberTypes);
  } else {
    if (!numbers.any()) drop(kNumberTypes);
    if ((shape->types & kTextType) != 0 && texts_of(*shape).is_empty()) drop(kTextType);
  }
  if (shape->least_items > shape->most_items) drop(kArrayType);
  const bool contradicts = std::ranges::any_of(
      shape->required, [&](const auto& name) { return shape->forbidden.contains(name); });
  const int64_t n_keys = std::max(shape->least_keys, static_cast<int64_t>(shape->required.size()));
  if (contradicts || n_keys > shape->most_keys) drop(kObjectType);
}

bool Goals::satisfiable(GoalId goal) {
  Goal& one = *goals_[static_cast<size_t>(goal)];
  if (one.known == Known::kWorking) has_assumed_ = true;  // a value inside of itself: not this way
  if (one.known != Known::kUnknown) return one.known == Known::kYes;
  if (depth_ == kMostDepth)
    throw Error(ErrorCode::kInvalidArgument,
                "what it requires is deeper than 400 values, at " + where(goal));
  depth_++;
  one.known = Known::kWorking;
  const bool had_assumed = std::exchange(has_assumed_, false);
  const Satisfiable part = [this](std::vector<Claim> claims) {
    return satisfiable(std::move(claims));
  };
  const bool result =
      std::ranges::any_of(shapes(goal), [&](const Shape& shape) { return has_value(shape, part); });
  depth_--;
  const bool is_sure = result || !has_assumed_ || depth_ == 0;
  one.known = !is_sure ? Known::kUnknown : result ? Known::kYes : Known::kNo;
  has_assumed_ = had_assumed || (!result && has_assumed_);
  return result;
}

bool Goals::has_value(const Shape& shape, const Satisfiable& part) {
  constexpr TypeSet kWhole = kAllTypes & ~(kArrayType | kObjectType);
  if ((shape.types & kWhole) != 0) return true;
  if ((shape.types & kArrayType) != 0 && has_array(shape, part)) return true;
  return (shape.types & kObjectType) != 0 && has_object(shape, part);
}

bool Goals::has_array(const Shape& shape, const Satisfiable& part) {
  const int64_t first_alike = shape.first_alike();
  const int64_t n_told_apart = std::min(first_alike + 1, shape.most_items);
  int64_t n_possible = 0;  // first items that can be there
  while (n_possible < n_told_apart && part(shape.item_claims(n_possible))) n_possible++;
  int64_t most = n_possible <= first_alike ? n_possible : shape.most_items;
  if (shape.has_unique_items) most = std::min(most, n_unique_items(shape));
  if (shape.least_items > most) return false;
  Settling settling(all_of(shape.some_items));
  for (int64_t index = 0; index < n_possible && !shape.some_items.empty(); index++) {
    const auto sets = sets_to_settle(
        shape.some_items, shape.item_claims(index), part,
        [&](const ItemRule& some) { return some.from <= index && index <= some.to; });
    if (index < first_alike) settling.take(sets, 0);
    else settling.take_any(sets, 1);
  }
  return settling.fewest() <= most - std::min(n_possible, first_alike);
}

/** How many items an array may have at most, if none comes twice and all are told in the same way.
 */
int64_t Goals::n_unique_items(const Shape& shape) {
  if (shape.first_alike() > 0 || shape.most_items < 2) return kUnlimited;
  int64_t n = 0;
  for (const Shape& item : shapes(goal_of(shape.item_claims(0)))) {
    constexpr TypeSet kFree = kNumberTypes | kTextType;
    const TypeSet free = item.is_listed ? 0 : item.types & kFree;
    if ((free | (item.types & (kArrayType | kObjectType))) != 0) return kUnlimited;
    n += std::ssize(item.literals);
    for (const TypeSet word : {kNullType, kTrueType, kFalseType}) n += (item.types & word) != 0;
  }
  return n;
}

bool Goals::has_object(const Shape& shape, const Satisfiable& part) {
  const KeyClasses classes = key_classes(*this, shape);
  int64_t n_possible = 0;
  for (const NamedKey& key : classes.names) {
    const bool is_required = shape.required.contains(key.name);
    if (!is_required && shape.least_keys == 0) continue;
    const bool is_possible = key.fits && part(key.claims);
    if (is_required && !is_possible) return false;
    n_possible += is_possible ? 1 : 0;
  }
  const bool needs_more = n_possible < shape.least_keys;
  if (needs_more &&
      std::ranges::none_of(classes.others, [&](const auto& other) { return part(other.claims); }))
    return false;
  return can_settle(shape, classes, part);
}

bool Goals::can_settle(const Shape& shape, const KeyClasses& classes, const Satisfiable& part) {
  if (shape.some_keys.empty()) return true;
  Settling settling(all_of(shape.some_keys));
  for (const NamedKey& key : classes.names) {
    if (!key.fits) continue;
    const auto sets = sets_to_settle(shape.some_keys, key.claims, part, [&](const KeyRule& some) {
      return is_key_in(*this, some.keys, key.name);
    });
    settling.take(sets, shape.required.contains(key.name) ? 0 : 1);
  }
  for (const OtherKeys& other : classes.others)
    settling.take_any(
        sets_to_settle(shape.some_keys, other.claims, part,
                       [&](const KeyRule& some) { return is_class_in(some.keys, other); }),
        1);
  return settling.fewest() <= shape.most_keys - std::ssize(shape.required);
}

bool Goals::may_overlap(Claim one, Claim other) {
  const auto key = std::minmax(one, other);
  const auto known = overlaps_.find(key);
  if (known != overlaps_.end()) return known->second;
  return overlaps_[key] = may_have_value({one, other}, 2);
}

/** Looks at parts to a depth, and not at what may hold once only: a value might fit. */
bool Goals::may_have_value(const std::vector<Claim>& claims, int depth) {
  if (depth == 0) return true;
  const Satisfiable part = [&](const std::vector<Claim>& all) {
    return may_have_value(all, depth - 1);
  };
  try {
    auto shapes = alternatives_of(
        schema_, claims, [](Claim, Claim) { return false; }, &n_steps_);
    return std::ranges::any_of(shapes, [&](Shape& shape) {
      drop_empty_types(&shape);
      return has_value(shape, part);
    });
  } catch (const Error&) {  // it will be told where it matters
    return true;
  }
}

void Goals::compare(size_t n) {
  n_compared_ += n;
  if (n_compared_ > kMostCompared)
    throw Error(ErrorCode::kInvalidArgument, "its objects name too many properties");
}

}  // namespace cachalot
