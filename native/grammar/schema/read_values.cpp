// What a schema says of values without looking at their parts.

#include <algorithm>

#include "base/error.h"
#include "grammar/regex/syntax.h"
#include "grammar/schema/formats.h"
#include "grammar/schema/schema_reader.h"

namespace cachalot {

namespace {

using Kind = Fact::Kind;

constexpr size_t kMostPatternStates = 500'000;

constexpr std::pair<const char*, TypeSet> kTypes[] = {
    {"null", kNullType},       {"boolean", kTrueType | kFalseType},
    {"integer", kIntegerType}, {"number", kNumberTypes},
    {"string", kTextType},     {"array", kArrayType},
    {"object", kObjectType},   {"any", kAllTypes}};

/** Adds a value without parts to a list of such; false if it has parts. */
bool add_literal(const JsonValue& value, Fact* fact) {
  if (value.is_null()) fact->types |= kNullType;
  else if (const bool* truth = value.boolean()) fact->types |= *truth ? kTrueType : kFalseType;
  else if (const auto* text = value.text()) fact->literals.push_back({true, *text});
  else if (const auto* one = value.number()) fact->literals.push_back({false, "", *one});
  else return false;
  return true;
}

}  // namespace

void SchemaReader::read_types() {
  const JsonValue* type = keywords_.find("type");
  if (type == nullptr) return;
  TypeSet types = 0;
  const auto include = [&](const JsonValue& name) {
    const auto found = std::ranges::find_if(kTypes, [&](const auto& known) {
      return name.text() != nullptr && *name.text() == known.first;
    });
    if (found == std::end(kTypes))
      refuse_schema(keywords_.at("type"), "\"type\" is none of JSON's types");
    types |= found->second;
  };
  if (const JsonArray* names = type->array()) std::ranges::for_each(*names, include);
  else include(*type);
  add({.kind = Kind::kTypes, .types = types});
}

void SchemaReader::read_enum() {
  if (const JsonArray* values = keywords_.list("enum"))
    add_claim(one_of(*values, keywords_.at("enum")));
  if (const JsonValue* value = keywords_.find("const"))
    add_claim(equal_to(*value, keywords_.at("const")));
}

Claim SchemaReader::one_of(const JsonArray& values, const std::string& where) {
  Fact literals{.kind = Kind::kLiterals, .types = 0};
  Branches branches;
  std::vector<Claim> none;
  for (const JsonValue& value : values)
    if (!add_literal(value, &literals)) branches.push_back({equal_to(value, where)});
  branches.push_back({node_with(where, {std::move(literals)})});
  for (const auto& branch : branches) none.push_back(denied(branch.front()));
  Fact fact{.kind = Kind::kBranches, .branches = std::move(branches)};
  fact.opposite.push_back(std::move(none));
  return node_with(where, {std::move(fact)});
}

Claim SchemaReader::equal_to(const JsonValue& value, const std::string& where) {
  if (value.array() == nullptr && value.object() == nullptr) return one_of({value}, where);
  std::vector<Fact> facts;
  if (const JsonArray* items = value.array()) {
    const auto n = static_cast<int64_t>(items->size());
    facts = {{.kind = Kind::kTypes, .types = kArrayType},
             {.kind = Kind::kLeastItems, .from = n},
             {.kind = Kind::kMostItems, .from = n}};
    for (int64_t i = 0; i < n; i++) {
      const Claim item = equal_to((*items)[static_cast<size_t>(i)], where);
      facts.push_back({.kind = Kind::kEveryItem, .from = i, .to = i, .claim = item});
    }
    return node_with(where, std::move(facts));
  }
  facts = {{.kind = Kind::kTypes, .types = kObjectType}};
  KeySet others{.kind = KeySet::Kind::kOthers};
  for (const auto& [name, one] : *value.object()) {
    const KeySet key{.names = {name}};
    others.names.push_back(name);
    facts.push_back({.kind = Kind::kRequired, .keys = key});
    facts.push_back({.kind = Kind::kEveryKey, .keys = key, .claim = equal_to(one, where)});
  }
  facts.push_back({.kind = Kind::kEveryKey, .keys = std::move(others), .claim = kNothing});
  return node_with(where, std::move(facts));
}

/** Drafts 3 and 4 have true and false for an exclusive bound, beside the bound. */
void SchemaReader::read_bound(const char* name, const char* exclusive, Kind kind) {
  const JsonValue* open = keywords_.find(exclusive);
  const bool is_old = open != nullptr && open->boolean() != nullptr;
  if (const auto value = keywords_.number(name))
    add({.kind = kind, .number = *value, .is_open = is_old && *open->boolean()});
  if (open != nullptr && !is_old)
    add({.kind = kind, .number = *keywords_.number(exclusive), .is_open = true});
}

void SchemaReader::read_number() {
  read_bound("minimum", "exclusiveMinimum", Kind::kLower);
  read_bound("maximum", "exclusiveMaximum", Kind::kUpper);
  for (const char* name : {"multipleOf", "divisibleBy"}) {
    const auto value = keywords_.number(name);
    if (value && *value <= 0) refuse_schema(keywords_.at(name), "it must be larger than zero");
    if (value) add({.kind = Kind::kMultiple, .number = *value});
  }
}

void SchemaReader::read_text() {
  if (const auto n = keywords_.count("minLength")) add({.kind = Kind::kLeastLength, .from = *n});
  if (const auto n = keywords_.count("maxLength")) add({.kind = Kind::kMostLength, .from = *n});
  const auto add_pattern = [&](const char* keyword, std::string_view text, RegexMatch match) {
    add({.kind = Kind::kPattern, .pattern = pattern_of(text, match, keywords_.at(keyword))});
  };
  if (const std::string* pattern = keywords_.text("pattern"))
    add_pattern("pattern", *pattern, RegexMatch::kAnywhere);
  const std::string* format = keywords_.text("format");
  const auto known = format == nullptr ? std::string_view() : pattern_of_format(*format);
  if (!known.empty()) add_pattern("format", known, RegexMatch::kWhole);
}

int32_t SchemaReader::pattern_of(std::string_view text, RegexMatch match,
                                 const std::string& where) {
  const auto key = std::pair(std::string(text), match);
  if (const auto known = patterns_.find(key); known != patterns_.end()) return known->second;
  try {
    schema_.patterns.push_back(make_nfa(*parse_regex(text), match, Alphabet::kCodePoints));
  } catch (const Error& error) {
    refuse_schema(where, error.what());
  }
  n_pattern_states_ += schema_.patterns.back().states.size();
  if (n_pattern_states_ > kMostPatternStates) refuse_schema(where, "its patterns are too large");
  return patterns_[key] = static_cast<int32_t>(schema_.patterns.size()) - 1;
}

}  // namespace cachalot
