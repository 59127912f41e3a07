#include "grammar/schema/alternatives.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "base/error.h"
#include "grammar/schema/opposites.h"

namespace cachalot {

namespace {

using Kind = Fact::Kind;

constexpr size_t kMostShapes = 256;
constexpr int kMostDepth = 500;

class Expansion {
 public:
  Expansion(const Schema& schema, const MayOverlap& may_overlap, int64_t* n_steps)
      : schema_(schema), may_overlap_(may_overlap), n_steps_(n_steps) {}

  std::vector<Shape> run(std::span<const Claim> claims) {
    go({}, {{claims.begin(), claims.end()}, {}});
    return std::move(shapes_);
  }

 private:
  using Choice = std::vector<Alternative>;
  /** What is decided of a value. */
  struct Decided {
    TypeSet types = kAllTypes;
    std::vector<Claim> claims{};  // that have been looked at, ascending
    std::vector<const Fact*> facts{};
    std::vector<std::shared_ptr<const Choice>> choices{};  // that are still to be made
  };

  [[noreturn]] static void refuse_size(const std::string& where) {
    throw Error(ErrorCode::kInvalidArgument,
                "its alternatives (\"anyOf\", \"oneOf\", \"not\", \"if\") "
                "are too many together, at " +
                    where);
  }

  void go(Decided decided, Alternative more) {
    for (Fact& fact : more.facts) {
      made_.push_back(std::move(fact));
      if (!take(&decided, made_.back(), &more.claims)) return;
    }
    while (!more.claims.empty()) {
      const Claim claim = more.claims.back();
      more.claims.pop_back();
      if (claim == kAnything || std::ranges::binary_search(decided.claims, claim)) continue;
      if (claim == kNothing || std::ranges::binary_search(decided.claims, denied(claim))) return;
      decided.claims.insert(std::ranges::upper_bound(decided.claims, claim), claim);
      const SchemaNode& node = schema_.nodes[node_of(claim)];
      if (--*n_steps_ < 0) refuse_size(node.where);
      if (is_denied(claim)) {
        deny(&decided, node);
        continue;
      }
      for (const Fact& fact : node.facts)
        if (!take(&decided, fact, &more.claims)) return;
    }
    choose(std::move(decided));
  }

  /** Takes the choice of the fewest alternatives; without any, this is a shape. */
  void choose(Decided decided) {
    if (decided.choices.empty()) {
      shapes_.push_back(shape_of(decided.types, decided.facts));
      if (shapes_.size() > kMostShapes)
        refuse_size(schema_.nodes[node_of(decided.claims[0])].where);
      return;
    }
    const auto fewest = std::ranges::min_element(decided.choices, {},
                                                 [](const auto& choice) { return choice->size(); });
    const auto choice = *fewest;
    decided.choices.erase(fewest);
    if (++depth_ > kMostDepth) refuse_size(schema_.nodes[node_of(decided.claims[0])].where);
    for (const Alternative& one : *choice) go(decided, one);
    depth_--;
  }

  /** False: no value is left. */
  bool take(Decided* decided, const Fact& fact, std::vector<Claim>* claims) {
    switch (fact.kind) {
      case Kind::kTypes: decided->types &= fact.types; break;
      case Kind::kLiterals: {
        TypeSet types = fact.types;
        for (const Literal& literal : fact.literals)
          types |= literal.is_text ? kTextType : kNumberTypes;
        decided->types &= types;
        decided->facts.push_back(&fact);
        break;
      }
      case Kind::kBranches:
        if (fact.branches.size() == 1) {
          claims->insert(claims->end(), fact.branches[0].begin(), fact.branches[0].end());
        } else {
          Choice choice;
          for (const auto& branch : fact.branches) choice.push_back({.claims = branch});
          decided->choices.push_back(std::make_shared<const Choice>(std::move(choice)));
        }
        break;
      case Kind::kExactlyOne: decided->choices.push_back(exactly_one(fact)); break;
      default: decided->facts.push_back(&fact);
    }
    return decided->types != 0;
  }

  /** One of the claims, and none that may hold beside it. */
  std::shared_ptr<const Choice> exactly_one(const Fact& fact) {
    Choice choice;
    for (size_t i = 0; i < fact.branches.size(); i++) {
      Alternative one{.claims = fact.branches[i]};
      for (size_t j = 0; j < fact.branches.size(); j++) {
        const Claim other = fact.branches[j].front();
        if (j != i && may_overlap_(fact.branches[i].front(), other))
          one.claims.push_back(denied(other));
      }
      choice.push_back(std::move(one));
    }
    return std::make_shared<const Choice>(std::move(choice));
  }

  void deny(Decided* decided, const SchemaNode& node) {
    Choice choice;
    for (const Fact& fact : node.facts)
      for (Alternative& one : opposites(fact, node.where)) choice.push_back(std::move(one));
    decided->choices.push_back(std::make_shared<const Choice>(std::move(choice)));
  }

  const Schema& schema_;
  const MayOverlap& may_overlap_;
  int64_t* n_steps_;
  std::deque<Fact> made_;
  int depth_ = 0;
  std::vector<Shape> shapes_;
};

}  // namespace

std::vector<Shape> alternatives_of(const Schema& schema, std::span<const Claim> claims,
                                   const MayOverlap& may_overlap, int64_t* n_steps) {
  return Expansion(schema, may_overlap, n_steps).run(claims);
}

}  // namespace cachalot
