// What a schema says of the items of an array and the properties of an object.

#include <algorithm>

#include "grammar/schema/schema_reader.h"

namespace cachalot {

namespace {

using Kind = Fact::Kind;

constexpr const char* kUnevaluated =
    " is not supported beside keywords that apply other schemas to the same value";

}  // namespace

void SchemaReader::read_array() {
  if (const auto n = keywords_.count("minItems")) add({.kind = Kind::kLeastItems, .from = *n});
  if (const auto n = keywords_.count("maxItems")) add({.kind = Kind::kMostItems, .from = *n});
  const JsonValue* items = keywords_.find("items");
  const bool is_old = items != nullptr && items->array() != nullptr;
  const char* name = is_old ? "items" : "prefixItems";
  const char* rest = is_old ? "additionalItems" : "items";
  int64_t n_first = 0;
  if (const JsonArray* first = keywords_.list(name)) {
    for (const JsonValue& one : *first) {
      const int64_t i = n_first++;
      const Claim claim = below(name, one, std::to_string(i));
      add({.kind = Kind::kEveryItem, .from = i, .to = i, .claim = claim});
    }
  }
  read_items(rest, n_first);
  read_contains();
  if (keywords_.has_but("uniqueItems", false)) add({.kind = Kind::kUniqueItems});
  if (!keywords_.has_but("unevaluatedItems", true)) return;
  if (is_applied_beside() || keywords_.has("contains"))
    refuse_schema(keywords_.at("unevaluatedItems"),
                  std::string("\"unevaluatedItems\"") + kUnevaluated);
  if (!keywords_.has(rest)) read_items("unevaluatedItems", n_first);
}

/** All items from one on. */
void SchemaReader::read_items(const char* name, int64_t from) {
  if (keywords_.has(name)) add({.kind = Kind::kEveryItem, .from = from, .claim = below(name)});
}

void SchemaReader::read_contains() {
  if (!keywords_.has("contains")) return;
  const auto least = keywords_.count("minContains");
  if (keywords_.count("maxContains"))
    refuse_schema(keywords_.at("maxContains"), "\"maxContains\" is not supported");
  if (least && *least > 1)
    refuse_schema(keywords_.at("minContains"), "\"minContains\" is not supported beyond 1");
  if (!least || *least == 1) add({.kind = Kind::kSomeItem, .claim = below("contains")});
}

/** Whether this schema applies others to the same value. */
bool SchemaReader::is_applied_beside() const {
  constexpr const char* kNames[] = {"$ref", "allOf", "anyOf",        "oneOf",
                                    "not",  "if",    "dependencies", "dependentSchemas"};
  return std::ranges::any_of(kNames, [&](const char* name) { return keywords_.has(name); });
}

void SchemaReader::read_object() {
  if (const auto n = keywords_.count("minProperties")) add({.kind = Kind::kLeastKeys, .from = *n});
  if (const auto n = keywords_.count("maxProperties")) add({.kind = Kind::kMostKeys, .from = *n});
  read_keys();
  if (keywords_.has("propertyNames"))
    add({.kind = Kind::kKeyNames, .claim = below("propertyNames")});
  read_required();
  read_dependencies();
}

void SchemaReader::read_keys() {
  KeySet others{.kind = KeySet::Kind::kOthers};
  if (const JsonObject* properties = keywords_.map("properties")) {
    for (const auto& [name, one] : *properties) {
      others.names.push_back(name);
      const Claim claim = below("properties", one, name);
      add({.kind = Kind::kEveryKey, .keys = {.names = {name}}, .claim = claim});
    }
  }
  if (const JsonObject* patterns = keywords_.map("patternProperties")) {
    for (const auto& [text, one] : *patterns) {
      const auto pattern =
          pattern_of(text, RegexMatch::kAnywhere, keywords_.at("patternProperties", text));
      others.patterns.push_back(pattern);
      KeySet keys{.kind = KeySet::Kind::kPattern, .patterns = {pattern}};
      const Claim claim = below("patternProperties", one, text);
      add({.kind = Kind::kEveryKey, .keys = std::move(keys), .claim = claim});
    }
  }
  read_other_keys(std::move(others));
}

void SchemaReader::read_other_keys(KeySet others) {
  const char* rest = "additionalProperties";
  if (keywords_.has_but("unevaluatedProperties", true)) {
    if (is_applied_beside())
      refuse_schema(keywords_.at("unevaluatedProperties"),
                    std::string("\"unevaluatedProperties\"") + kUnevaluated);
    if (!keywords_.has(rest)) rest = "unevaluatedProperties";
  }
  if (!keywords_.has(rest)) return;
  const Claim claim = below(rest);
  add({.kind = Kind::kEveryKey, .keys = std::move(others), .claim = claim});
}

void SchemaReader::read_required() {
  const JsonValue* required = keywords_.find("required");
  if (required == nullptr || required->boolean() != nullptr) return;  // draft 3 has a boolean
  for (const std::string& name : keywords_.names(*required, "required"))
    add({.kind = Kind::kRequired, .keys = {.names = {name}}});
}

/** What has to hold if a property is there: that it is not there, or that it is and this holds. */
void SchemaReader::read_dependencies() {
  for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
    const JsonObject* all = keywords_.map(keyword);
    if (all == nullptr) continue;
    for (const auto& [name, one] : *all) {
      const std::string where = keywords_.at(keyword, name);
      std::vector<Fact> facts;
      if (one.array() != nullptr)
        for (const std::string& other : keywords_.names(one, keyword))
          facts.push_back({.kind = Kind::kRequired, .keys = {.names = {other}}});
      const Claim then =
          one.array() != nullptr ? node_with(where, std::move(facts)) : below(keyword, one, name);
      const Claim has = node_with(where, {{.kind = Kind::kTypes, .types = kObjectType},
                                          {.kind = Kind::kRequired, .keys = {.names = {name}}}});
      add_branches({{denied(has)}, {has, then}}, {{has, denied(then)}});
    }
  }
}

}  // namespace cachalot
