// From the keywords of a schema to its facts.

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "grammar/regex/syntax.h"
#include "grammar/schema/formats.h"
#include "grammar/schema/references.h"
#include "grammar/schema/schema.h"

namespace cachalot {

namespace {

using Kind = Fact::Kind;

constexpr size_t kMostNodes = 50'000;
constexpr size_t kMostPatternStates = 500'000;

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what + ", at " + where);
}

std::string escaped(const std::string& name) {
  std::string result;
  for (const char c : name) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

class SchemaReader {
 public:
  explicit SchemaReader(const JsonValue& document) : document_(document), references_(document) {}

  Schema read() {
    schema_.nodes.push_back({"#"});
    const JsonValue* dialect = document_.find("$schema");
    const std::string* name = dialect == nullptr ? nullptr : dialect->text();
    for (const char* draft : {"draft-03", "draft-04", "draft-05", "draft-06", "draft-07"})
      lone_refs_ = lone_refs_ || (name != nullptr && name->find(draft) != name->npos);
    schema_.root = claim_of(document_, "#");
    while (!open_.empty()) {
      const auto [value, node] = open_.back();
      open_.pop_back();
      read_node(*value, node);
    }
    refuse_loops();
    return std::move(schema_);
  }

 private:
  // Nodes.

  Claim new_node(const std::string& where) {
    if (schema_.nodes.size() == kMostNodes) refuse(where, "it has more than 50,000 parts");
    schema_.nodes.push_back({where});
    return static_cast<Claim>(2 * (schema_.nodes.size() - 1));
  }

  Claim node_with(const std::string& where, std::vector<Fact> facts) {
    const Claim claim = new_node(where);
    schema_.nodes.back().facts = std::move(facts);
    return claim;
  }

  Claim claim_of(const JsonValue& value, const std::string& where) {
    if (const bool* all = value.boolean()) return *all ? kAnything : kNothing;
    if (value.object() == nullptr) refuse(where, "a schema must be an object, true or false");
    const auto known = nodes_.find(&value);
    if (known != nodes_.end()) return known->second;
    const Claim claim = new_node(where);
    nodes_.emplace(&value, claim);
    open_.emplace_back(&value, node_of(claim));
    return claim;
  }

  void add(Fact fact) { facts_.push_back(std::move(fact)); }
  void add_branches(std::vector<std::vector<Claim>> branches,
                    std::vector<std::vector<Claim>> opposite) {
    add({.kind = Kind::kBranches,
         .branches = std::move(branches),
         .opposite = std::move(opposite)});
  }

  void read_node(const JsonValue& value, size_t node) {
    value_ = &value;
    where_ = schema_.nodes[node].where;
    facts_.clear();
    refuse_unknown();
    if (value.has("$ref")) read_reference();
    if (!value.has("$ref") || !lone_refs_) {
      read_types();
      read_enum();
      read_number();
      read_text();
      read_array();
      read_object();
      read_branches();
    }
    schema_.nodes[node].facts = std::move(facts_);
  }

  // Keywords.

  std::string at(const std::string& name) const { return where_ + "/" + escaped(name); }

  /** A keyword's value; null if it is not there. */
  const JsonValue* keyword(const char* name) const {
    const auto found = value_->object()->find(name);
    return found == value_->object()->end() ? nullptr : &found->second;
  }

  const JsonArray* list(const char* name) const {
    const JsonValue* value = keyword(name);
    if (value != nullptr && value->array() == nullptr) refuse(at(name), "it must be a list");
    return value == nullptr ? nullptr : value->array();
  }

  const JsonObject* map(const char* name) const {
    const JsonValue* value = keyword(name);
    if (value != nullptr && value->object() == nullptr) refuse(at(name), "it must be an object");
    return value == nullptr ? nullptr : value->object();
  }

  std::optional<double> number(const char* name) const {
    const JsonValue* value = keyword(name);
    if (value == nullptr) return std::nullopt;
    if (value->number() == nullptr) refuse(at(name), "it must be a number");
    return *value->number();
  }

  /** A count; nothing if it is not there. */
  std::optional<int64_t> count(const char* name) const {
    const auto value = number(name);
    if (!value) return std::nullopt;
    if (*value < 0 || *value != std::floor(*value)) refuse(at(name), "it must be a whole number");
    return static_cast<int64_t>(std::min(*value, 1e15));
  }

  Claim below(const char* name) { return claim_of(*keyword(name), at(name)); }
  Claim below(const char* name, const JsonValue& value, const std::string& part) {
    return claim_of(value, at(name) + "/" + escaped(part));
  }

  void refuse_unknown() const {
    const auto is_set = [&](const char* name) {
      const JsonValue* value = keyword(name);
      return value != nullptr && (value->boolean() == nullptr || *value->boolean());
    };
    for (const char* name : {"uniqueItems", "$dynamicRef", "$recursiveRef", "extends", "disallow"})
      if (is_set(name)) refuse(at(name), std::string("\"") + name + "\" is not supported");
  }

  void read_reference() {
    const JsonValue* reference = keyword("$ref");
    if (reference->text() == nullptr) refuse(at("$ref"), "it must be a text");
    const JsonValue* target = references_.find(*value_, *reference->text());
    if (target == nullptr)
      refuse(at("$ref"), "\"$ref\" leads to \"" + *reference->text() +
                             "\", which is not in this schema; other documents are not loaded");
    const Claim claim = claim_of(*target, *reference->text());
    add_branches({{claim}}, {{denied(claim)}});
  }

  void read_types() {
    const JsonValue* type = keyword("type");
    if (type == nullptr) return;
    constexpr std::pair<const char*, TypeSet> kNames[] = {
        {"null", kNullType},     {"boolean", kTrueType | kFalseType}, {"integer", kIntegerType},
        {"number", kNumberTypes}, {"string", kTextType},              {"array", kArrayType},
        {"object", kObjectType},  {"any", kAllTypes}};
    TypeSet types = 0;
    const auto include = [&](const JsonValue& name) {
      const auto found = std::ranges::find_if(kNames, [&](const auto& known) {
        return name.text() != nullptr && *name.text() == known.first;
      });
      if (found == std::end(kNames)) refuse(at("type"), "\"type\" has no such type");
      types |= found->second;
    };
    if (const JsonArray* names = type->array()) std::ranges::for_each(*names, include);
    else include(*type);
    add({.kind = Kind::kTypes, .types = types});
  }

  /** Adds a value without parts to a list of such; false if it has parts. */
  static bool add_literal(const JsonValue& value, Fact* fact) {
    if (value.is_null()) fact->types |= kNullType;
    else if (const bool* truth = value.boolean()) fact->types |= *truth ? kTrueType : kFalseType;
    else if (const auto* text = value.text()) fact->literals.push_back({true, *text});
    else if (const auto* one = value.number()) fact->literals.push_back({false, "", *one});
    else return false;
    return true;
  }

  /** The values of a list, of which a value is one. */
  Claim one_of(const JsonArray& values, const std::string& where) {
    Fact literals{.kind = Kind::kLiterals, .types = 0};
    std::vector<std::vector<Claim>> branches;
    std::vector<Claim> none;
    for (const JsonValue& value : values)
      if (!add_literal(value, &literals)) branches.push_back({equal_to(value, where)});
    branches.push_back({node_with(where, {std::move(literals)})});
    for (const auto& branch : branches) none.push_back(denied(branch.front()));
    return node_with(where, {{.kind = Kind::kBranches,
                              .branches = std::move(branches),
                              .opposite = {std::move(none)}}});
  }

  Claim equal_to(const JsonValue& value, const std::string& where) {
    if (value.array() == nullptr && value.object() == nullptr) return one_of({value}, where);
    std::vector<Fact> facts;
    if (const JsonArray* items = value.array()) {
      const auto n = static_cast<int64_t>(items->size());
      facts = {{.kind = Kind::kTypes, .types = kArrayType},
               {.kind = Kind::kLeastItems, .from = n},
               {.kind = Kind::kMostItems, .from = n}};
      for (int64_t i = 0; i < n; i++)
        facts.push_back({.kind = Kind::kEveryItem,
                         .from = i,
                         .to = i,
                         .claim = equal_to((*items)[static_cast<size_t>(i)], where)});
      return node_with(where, std::move(facts));
    }
    facts = {{.kind = Kind::kTypes, .types = kObjectType}};
    KeySet others{.kind = KeySet::Kind::kOthers};
    for (const auto& [name, one] : *value.object()) {
      others.names.push_back(name);
      facts.push_back({.kind = Kind::kRequired, .keys = {.names = {name}}});
      facts.push_back(
          {.kind = Kind::kEveryKey, .keys = {.names = {name}}, .claim = equal_to(one, where)});
    }
    facts.push_back({.kind = Kind::kEveryKey, .keys = std::move(others), .claim = kNothing});
    return node_with(where, std::move(facts));
  }

  void read_enum() {
    const auto demand = [&](Claim claim) { add_branches({{claim}}, {{denied(claim)}}); };
    if (const JsonArray* values = list("enum")) demand(one_of(*values, at("enum")));
    if (const JsonValue* value = keyword("const")) demand(equal_to(*value, at("const")));
  }

  void read_number() {
    const auto bound = [&](const char* name, const char* exclusive, Kind kind) {
      const JsonValue* open = keyword(exclusive);
      const bool is_old = open != nullptr && open->boolean() != nullptr;
      if (const auto value = number(name))
        add({.kind = kind, .number = *value, .is_open = is_old && *open->boolean()});
      if (open != nullptr && !is_old)
        add({.kind = kind, .number = *number(exclusive), .is_open = true});
    };
    bound("minimum", "exclusiveMinimum", Kind::kLower);
    bound("maximum", "exclusiveMaximum", Kind::kUpper);
    for (const char* name : {"multipleOf", "divisibleBy"}) {
      const auto value = number(name);
      if (value && *value <= 0) refuse(at(name), "it must be larger than zero");
      if (value) add({.kind = Kind::kMultiple, .number = *value});
    }
  }

  int32_t pattern_of(std::string_view text, RegexMatch match, const std::string& where) {
    const auto key = std::pair(std::string(text), match);
    if (const auto known = patterns_.find(key); known != patterns_.end()) return known->second;
    try {
      schema_.patterns.push_back(make_nfa(*parse_regex(text), match, Alphabet::kCodePoints));
    } catch (const Error& error) {
      refuse(where, error.what());
    }
    n_pattern_states_ += schema_.patterns.back().states.size();
    if (n_pattern_states_ > kMostPatternStates) refuse(where, "its patterns are too large");
    return patterns_[key] = static_cast<int32_t>(schema_.patterns.size()) - 1;
  }

  void read_text() {
    if (const auto n = count("minLength")) add({.kind = Kind::kLeastLength, .from = *n});
    if (const auto n = count("maxLength")) add({.kind = Kind::kMostLength, .from = *n});
    const auto text = [&](const char* name) {
      const JsonValue* value = keyword(name);
      if (value != nullptr && value->text() == nullptr) refuse(at(name), "it must be a text");
      return value == nullptr ? nullptr : value->text();
    };
    if (const std::string* pattern = text("pattern"))
      add({.kind = Kind::kPattern,
           .pattern = pattern_of(*pattern, RegexMatch::kAnywhere, at("pattern"))});
    const std::string* format = text("format");
    const auto known = format == nullptr ? std::string_view() : pattern_of_format(*format);
    if (!known.empty())
      add({.kind = Kind::kPattern,
           .pattern = pattern_of(known, RegexMatch::kWhole, at("format"))});
  }

  void read_items(const char* name, int64_t from) {
    if (keyword(name) == nullptr) return;
    add({.kind = Kind::kEveryItem, .from = from, .claim = below(name)});
  }

  void read_array() {
    if (const auto n = count("minItems")) add({.kind = Kind::kLeastItems, .from = *n});
    if (const auto n = count("maxItems")) add({.kind = Kind::kMostItems, .from = *n});
    const JsonValue* items = keyword("items");
    const bool is_old = items != nullptr && items->array() != nullptr;
    const char* name = is_old ? "items" : "prefixItems";
    int64_t n_first = 0;
    if (const JsonArray* first = list(name)) {
      for (const JsonValue& one : *first) {
        const int64_t i = n_first++;
        add({.kind = Kind::kEveryItem,
             .from = i,
             .to = i,
             .claim = below(name, one, std::to_string(i))});
      }
    }
    if (is_old) read_items("additionalItems", n_first);
    else read_items("items", n_first);
    read_contains();
    if (const JsonValue* rest = keyword("unevaluatedItems");
        rest != nullptr && (rest->boolean() == nullptr || !*rest->boolean())) {
      if (is_applied_beside() || keyword("contains") != nullptr)
        refuse(at("unevaluatedItems"),
               "\"unevaluatedItems\" is not supported beside keywords that apply other schemas");
      if (is_old ? keyword("additionalItems") == nullptr : items == nullptr)
        read_items("unevaluatedItems", n_first);
    }
  }

  void read_contains() {
    if (keyword("contains") == nullptr) return;
    const auto least = count("minContains"), most = count("maxContains");
    if (most) refuse(at("maxContains"), "\"maxContains\" is not supported");
    if (least && *least > 1)
      refuse(at("minContains"), "\"minContains\" is not supported beyond 1");
    if (!least || *least == 1) add({.kind = Kind::kSomeItem, .claim = below("contains")});
  }

  /** Whether this schema applies others to the same value. */
  bool is_applied_beside() const {
    constexpr const char* kNames[] = {"$ref", "allOf", "anyOf",        "oneOf",
                                      "not",  "if",    "dependencies", "dependentSchemas"};
    return std::ranges::any_of(kNames, [&](const char* name) { return keyword(name) != nullptr; });
  }

  void read_object() {
    if (const auto n = count("minProperties")) add({.kind = Kind::kLeastKeys, .from = *n});
    if (const auto n = count("maxProperties")) add({.kind = Kind::kMostKeys, .from = *n});
    KeySet others{.kind = KeySet::Kind::kOthers};
    if (const JsonObject* properties = map("properties")) {
      for (const auto& [name, one] : *properties) {
        others.names.push_back(name);
        add({.kind = Kind::kEveryKey,
             .keys = {.names = {name}},
             .claim = below("properties", one, name)});
      }
    }
    if (const JsonObject* patterns = map("patternProperties")) {
      for (const auto& [text, one] : *patterns) {
        const auto pattern = pattern_of(text, RegexMatch::kAnywhere, at("patternProperties"));
        others.patterns.push_back(pattern);
        add({.kind = Kind::kEveryKey,
             .keys = {.kind = KeySet::Kind::kPattern, .patterns = {pattern}},
             .claim = below("patternProperties", one, text)});
      }
    }
    const char* rest = keyword("additionalProperties") != nullptr ? "additionalProperties"
                                                                  : "unevaluatedProperties";
    if (const JsonValue* value = keyword("unevaluatedProperties");
        value != nullptr && (value->boolean() == nullptr || !*value->boolean()) &&
        is_applied_beside())
      refuse(at("unevaluatedProperties"),
             "\"unevaluatedProperties\" is not supported beside keywords that apply other schemas");
    if (keyword(rest) != nullptr)
      add({.kind = Kind::kEveryKey, .keys = std::move(others), .claim = below(rest)});
    if (keyword("propertyNames") != nullptr)
      add({.kind = Kind::kKeyNames, .claim = below("propertyNames")});
    read_required();
  }

  void read_required() {
    const JsonValue* required = keyword("required");
    if (required != nullptr && required->boolean() == nullptr)  // draft 3 has a boolean
      for (const std::string& name : names(*required, "required"))
        add({.kind = Kind::kRequired, .keys = {.names = {name}}});
    for (const char* keyword_name : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const JsonObject* all = map(keyword_name);
      if (all == nullptr) continue;
      for (const auto& [name, one] : *all) {
        const Claim has = has_key(name);
        Claim then;
        if (one.array() != nullptr) {
          std::vector<Fact> facts;
          for (const std::string& other : names(one, keyword_name))
            facts.push_back({.kind = Kind::kRequired, .keys = {.names = {other}}});
          then = node_with(at(keyword_name), std::move(facts));
        } else {
          then = below(keyword_name, one, name);
        }
        add_branches({{denied(has)}, {has, then}}, {{has, denied(then)}});
      }
    }
  }

  Claim has_key(const std::string& name) {
    return node_with(where_, {{.kind = Kind::kTypes, .types = kObjectType},
                              {.kind = Kind::kRequired, .keys = {.names = {name}}}});
  }

  std::vector<std::string> names(const JsonValue& value, const char* name) const {
    std::vector<std::string> result;
    if (value.array() == nullptr) refuse(at(name), "it must be a list of names");
    for (const JsonValue& one : *value.array()) {
      if (one.text() == nullptr) refuse(at(name), "it must be a list of names");
      result.push_back(*one.text());
    }
    return result;
  }

  std::vector<std::vector<Claim>> each(const char* name) {
    std::vector<std::vector<Claim>> result;
    const JsonArray& all = *list(name);
    for (size_t i = 0; i < all.size(); i++)
      result.push_back({below(name, all[i], std::to_string(i))});
    return result;
  }

  void read_branches() {
    const auto turned = [](const std::vector<std::vector<Claim>>& branches) {
      std::vector<Claim> result;
      for (const auto& branch : branches) result.push_back(denied(branch.front()));
      return result;
    };
    if (keyword("allOf") != nullptr)
      for (const auto& one : each("allOf")) add_branches({one}, {{denied(one.front())}});
    if (keyword("anyOf") != nullptr) {
      auto branches = each("anyOf");
      auto none = turned(branches);
      add_branches(std::move(branches), {std::move(none)});
    }
    if (keyword("oneOf") != nullptr) {
      auto branches = each("oneOf");
      std::vector<std::vector<Claim>> opposite{turned(branches)};
      for (size_t i = 0; i < branches.size(); i++)
        for (size_t j = 0; j < i; j++)
          opposite.push_back({branches[i].front(), branches[j].front()});
      add({.kind = Kind::kExactlyOne,
           .branches = std::move(branches),
           .opposite = std::move(opposite)});
    }
    if (keyword("not") != nullptr) {
      const Claim claim = below("not");
      add_branches({{denied(claim)}}, {{claim}});
    }
    if (keyword("if") == nullptr) return;
    const Claim condition = below("if");
    const Claim then = keyword("then") != nullptr ? below("then") : kAnything;
    const Claim otherwise = keyword("else") != nullptr ? below("else") : kAnything;
    if (then == kAnything && otherwise == kAnything) return;
    add_branches({{condition, then}, {denied(condition), otherwise}},
                 {{condition, denied(then)}, {denied(condition), denied(otherwise)}});
  }

  /** A schema that applies itself to the same value says nothing. */
  void refuse_loops() const {
    std::vector<std::vector<size_t>> uses(schema_.nodes.size());
    std::vector<int> n_users(schema_.nodes.size());
    for (size_t node = 0; node < schema_.nodes.size(); node++)
      for (const Fact& fact : schema_.nodes[node].facts)
        for (const auto& branch : fact.branches)
          for (const Claim claim : branch) {
            uses[node].push_back(node_of(claim));
            n_users[node_of(claim)]++;
          }
    std::vector<size_t> open;
    for (size_t node = 0; node < uses.size(); node++)
      if (n_users[node] == 0) open.push_back(node);
    for (size_t i = 0; i < open.size(); i++)
      for (const size_t used : uses[open[i]])
        if (--n_users[used] == 0) open.push_back(used);
    for (size_t node = 0; node < uses.size(); node++)
      if (n_users[node] > 0)
        refuse(schema_.nodes[node].where,
               "\"$ref\" leads back to itself with no part of a value between");
  }

  const JsonValue& document_;
  References references_;
  bool lone_refs_ = false;  // what stands beside a $ref does not count, before 2019
  Schema schema_;
  std::map<const JsonValue*, Claim> nodes_;
  std::vector<std::pair<const JsonValue*, size_t>> open_;
  std::map<std::pair<std::string, RegexMatch>, int32_t> patterns_;
  size_t n_pattern_states_ = 0;
  // Of the node that is read.
  const JsonValue* value_ = nullptr;
  std::string where_;
  std::vector<Fact> facts_;
};

}  // namespace

Schema read_schema(std::string_view text) {
  constexpr size_t kMostBytes = size_t{1} << 20;
  constexpr JsonRules kRules{.max_depth = 200, .code = ErrorCode::kInvalidArgument};
  if (text.size() > kMostBytes) refuse("#", "it has more than 1,048,576 bytes");
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const JsonValue document = parse_json({bytes, text.size()}, kRules);
  return SchemaReader(document).read();
}

}  // namespace cachalot
