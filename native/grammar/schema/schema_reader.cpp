#include "grammar/schema/schema_reader.h"

#include <cstddef>

#include "base/error.h"

namespace cachalot {

namespace {

constexpr size_t kMostNodes = 50'000;

}  // namespace

SchemaReader::SchemaReader(const JsonValue& document)
    : document_(document), references_(document), keywords_(document, "#") {}

Schema SchemaReader::read() {
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

Claim SchemaReader::new_node(const std::string& where) {
  if (schema_.nodes.size() == kMostNodes) refuse_schema(where, "it has more than 50,000 parts");
  schema_.nodes.push_back({where});
  return static_cast<Claim>(2 * (schema_.nodes.size() - 1));
}

Claim SchemaReader::node_with(const std::string& where, std::vector<Fact> facts) {
  const Claim claim = new_node(where);
  schema_.nodes.back().facts = std::move(facts);
  return claim;
}

/** Its node is read later. */
Claim SchemaReader::claim_of(const JsonValue& value, const std::string& where) {
  if (const bool* all = value.boolean()) return *all ? kAnything : kNothing;
  if (value.object() == nullptr) refuse_schema(where, "a schema must be an object, true or false");
  const auto known = nodes_.find(&value);
  if (known != nodes_.end()) return known->second;
  const Claim claim = new_node(where);
  nodes_.emplace(&value, claim);
  open_.emplace_back(&value, node_of(claim));
  return claim;
}

Claim SchemaReader::below(const std::string& name) {
  return claim_of(*keywords_.find(name), keywords_.at(name));
}

Claim SchemaReader::below(const std::string& name, const JsonValue& value,
                          const std::string& part) {
  return claim_of(value, keywords_.at(name, part));
}

void SchemaReader::add_branches(Branches branches, Branches opposite) {
  add({.kind = Fact::Kind::kBranches,
       .branches = std::move(branches),
       .opposite = std::move(opposite)});
}

void SchemaReader::read_node(const JsonValue& value, size_t node) {
  keywords_ = Keywords(value, schema_.nodes[node].where);
  facts_.clear();
  for (const char* name : {"$dynamicRef", "$recursiveRef", "extends", "disallow"})
    if (keywords_.has_but(name, false))
      refuse_schema(keywords_.at(name), std::string("\"") + name + "\" is not supported");
  read_reference();
  if (!keywords_.has("$ref") || !lone_refs_) {
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

void SchemaReader::read_reference() {
  const std::string* reference = keywords_.text("$ref");
  if (reference == nullptr) return;
  const JsonValue* target = references_.find(keywords_.schema(), *reference);
  if (target == nullptr)
    refuse_schema(keywords_.at("$ref"),
                  "\"$ref\" leads to \"" + *reference +
                      "\", which is not in this schema; other documents are not loaded");
  add_claim(claim_of(*target, *reference));
}

Schema read_schema(std::string_view text) {
  constexpr size_t kMostBytes = size_t{1} << 20;
  constexpr JsonRules kRules{.max_depth = 200, .code = ErrorCode::kInvalidArgument};
  if (text.size() > kMostBytes) refuse_schema("#", "it has more than 1,048,576 bytes");
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const JsonValue document = parse_json({bytes, text.size()}, kRules);
  return SchemaReader(document).read();
}

}  // namespace cachalot
