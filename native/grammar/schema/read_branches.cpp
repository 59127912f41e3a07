// What a schema says of a value by other schemas of the same value.

#include "grammar/schema/schema_reader.h"

namespace cachalot {

namespace {

/** That none of some claims holds. */
std::vector<Claim> none_of(const std::vector<std::vector<Claim>>& branches) {
  std::vector<Claim> result;
  for (const auto& branch : branches) result.push_back(denied(branch.front()));
  return result;
}

}  // namespace

/** The schemas of a list, a claim each. */
SchemaReader::Branches SchemaReader::each(const char* name) {
  Branches result;
  if (const JsonArray* all = keywords_.list(name))
    for (size_t i = 0; i < all->size(); i++)
      result.push_back({below(name, (*all)[i], std::to_string(i))});
  return result;
}

void SchemaReader::read_branches() {
  for (const auto& one : each("allOf")) add_claim(one.front());
  if (keywords_.has("anyOf")) {
    auto branches = each("anyOf");
    auto none = none_of(branches);
    add_branches(std::move(branches), {std::move(none)});
  }
  if (keywords_.has("oneOf")) read_one_of();
  if (keywords_.has("not")) add_claim(denied(below("not")));
  if (keywords_.has("if")) read_condition();
}

void SchemaReader::read_one_of() {
  auto branches = each("oneOf");
  Branches opposite{none_of(branches)};  // or two at least
  for (size_t i = 0; i < branches.size(); i++)
    for (size_t j = 0; j < i; j++) opposite.push_back({branches[i].front(), branches[j].front()});
  add({.kind = Fact::Kind::kExactlyOne,
       .branches = std::move(branches),
       .opposite = std::move(opposite)});
}

void SchemaReader::read_condition() {
  const Claim condition = below("if");
  const Claim then = keywords_.has("then") ? below("then") : kAnything;
  const Claim otherwise = keywords_.has("else") ? below("else") : kAnything;
  if (then == kAnything && otherwise == kAnything) return;
  add_branches({{condition, then}, {denied(condition), otherwise}},
               {{condition, denied(then)}, {denied(condition), denied(otherwise)}});
}

/** A schema that applies itself to the same value says nothing. */
void SchemaReader::refuse_loops() const {
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
      refuse_schema(schema_.nodes[node].where,
                    "\"$ref\" leads back to itself with no part of a value between");
}

}  // namespace cachalot
