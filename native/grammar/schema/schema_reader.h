// From the keywords of a schema to its facts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/schema/keywords.h"
#include "grammar/schema/references.h"
#include "grammar/schema/schema.h"

namespace cachalot {

class SchemaReader {
 public:
  /** `document` must outlive this. */
  explicit SchemaReader(const JsonValue& document);

  Schema read();

 private:
  using Branches = std::vector<std::vector<Claim>>;

  // schema_reader.cpp: nodes, each of which is a schema somewhere in the document.
  Claim new_node(const std::string& where);
  Claim node_with(const std::string& where, std::vector<Fact> facts);
  Claim claim_of(const JsonValue& value, const std::string& where);
  void read_node(const JsonValue& value, size_t node);
  void read_reference();
  Claim below(const std::string& name);
  Claim below(const std::string& name, const JsonValue& value, const std::string& part);
  void add(Fact fact) { facts_.push_back(std::move(fact)); }
  void add_branches(Branches branches, Branches opposite);
  /** That a claim holds. */
  void add_claim(Claim claim) { add_branches({{claim}}, {{denied(claim)}}); }

  // read_values.cpp: what is said of values without looking at their parts.
  void read_types();
  void read_enum();
  Claim one_of(const JsonArray& values, const std::string& where);
  Claim equal_to(const JsonValue& value, const std::string& where);
  void read_number();
  void read_bound(const char* name, const char* exclusive, Fact::Kind kind);
  void read_text();
  int32_t pattern_of(std::string_view text, RegexMatch match, const std::string& where);

  // read_parts.cpp: items and properties.
  void read_array();
  void read_items(const char* name, int64_t from);
  void read_contains();
  void read_object();
  void read_keys();
  void read_other_keys(KeySet others);
  void read_required();
  void read_dependencies();
  bool is_applied_beside() const;

  // read_branches.cpp: schemas of the same value.
  void read_branches();
  void read_one_of();
  void read_condition();
  Branches each(const char* name);
  void refuse_loops() const;

  const JsonValue& document_;
  References references_;
  bool lone_refs_ = false;  // what stands beside a $ref does not count, before 2019
  Schema schema_;
  std::map<const JsonValue*, Claim> nodes_;
  std::vector<std::pair<const JsonValue*, size_t>> open_;
  std::map<std::pair<std::string, RegexMatch>, int32_t> patterns_;
  size_t n_pattern_states_ = 0;
  // Of the node that is read.
  Keywords keywords_;
  std::vector<Fact> facts_;
};

}  // namespace cachalot
