// What a value has to fit, as a number: the same claims are the same goal. Which values fit is
// found out when a goal is first looked at.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/schema/shape.h"
#include "grammar/text/text_reader.h"

namespace cachalot {

using GoalId = int32_t;

struct KeyClasses;

class Goals {
 public:
  explicit Goals(const Schema& schema) : schema_(schema) {}

  GoalId goal_of(std::vector<Claim> claims);
  /** The ways to fit it, but for those that no value can go, as far as its parts are not looked at.
   * Throws invalid_argument for what is not supported or too large. */
  const std::vector<Shape>& shapes(GoalId goal);
  /** Whether any value fits. */
  bool satisfiable(GoalId goal);
  bool satisfiable(std::vector<Claim> claims) { return satisfiable(goal_of(std::move(claims))); }

  /** The texts of a shape, but for listed ones. */
  TextRules texts_of(const Shape& shape);
  /** Whether a text fits. */
  bool fits_text(GoalId goal, const std::string& text);
  bool matches(int32_t pattern, const std::string& text);
  int64_t n_unique_items(const Shape& shape);

  // Bounds on the work for one schema; both throw invalid_argument.
  /** Counts the memory of an automaton that is kept. */
  std::shared_ptr<const TextDfa> kept(std::shared_ptr<const TextDfa> dfa);
  /** Counts comparisons of names of properties. */
  void compare(size_t n);

  const Schema& schema() const { return schema_; }
  /** Where in the schema a goal comes from. */
  const std::string& where(GoalId goal) const;

 private:
  enum class Known : uint8_t { kUnknown, kWorking, kYes, kNo };
  struct Goal {
    std::vector<Claim> claims;
    std::optional<std::vector<Shape>> shapes;
    Known known = Known::kUnknown;
  };
  using Satisfiable = std::function<bool(std::vector<Claim>)>;

  void drop_empty_types(Shape* shape);
  bool has_value(const Shape& shape, const Satisfiable& satisfiable);
  bool has_array(const Shape& shape, const Satisfiable& satisfiable);
  bool has_object(const Shape& shape, const Satisfiable& satisfiable);
  bool can_settle(const Shape& shape, const KeyClasses& classes, const Satisfiable& satisfiable);
  bool may_overlap(Claim one, Claim other);
  bool may_have_value(const std::vector<Claim>& claims, int depth);

  const Schema& schema_;
  int64_t n_steps_ = 1'000'000;
  size_t n_edges_ = 0, n_compared_ = 0;
  int depth_ = 0;             // of goals whose values are looked for
  bool has_assumed_ = false;  // that one of them has none
  std::vector<std::unique_ptr<Goal>> goals_;
  std::map<std::vector<Claim>, GoalId> known_;
  std::map<std::pair<Claim, Claim>, bool> overlaps_;
  std::map<std::pair<int32_t, std::string>, bool> matches_;
  std::map<std::string, std::shared_ptr<const TextDfa>> dfas_;
};

}  // namespace cachalot
