#include "grammar/schema/plans.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/error.h"
#include "grammar/json/spelling.h"
#include "grammar/schema/goals.h"
#include "grammar/schema/key_classes.h"
#include "grammar/schema/settling.h"

namespace cachalot {

namespace {

constexpr int64_t kMostFirstItems = 4096;
constexpr size_t kMostFiniteNames = 1000;

ByteTree tree_of(const std::set<std::string>& texts) {
  return ByteTree(std::vector<std::string>(texts.begin(), texts.end()));
}

class Planner {
 public:
  explicit Planner(const Schema& schema) : goals_(schema) {}

  Plans run() {
    plans_.root = plan_of(goals_.goal_of({goals_.schema().root}));
    if (!goals_.satisfiable(to_plan_.front().first))
      throw Error(ErrorCode::kInvalidArgument, "no value fits it");
    for (size_t i = 0; i < to_plan_.size(); i++) {
      const auto [goal, is_unique] = to_plan_[i];
      plans_.goals.push_back(plan(goal, is_unique));
    }
    return std::move(plans_);
  }

 private:
  /** The number of a goal's plan, which is made later. */
  int32_t plan_of(GoalId goal, bool is_unique = false) {
    const auto [at, is_new] =
        numbers_.try_emplace({goal, is_unique}, static_cast<int32_t>(to_plan_.size()));
    if (is_new) to_plan_.push_back({goal, is_unique});
    return at->second;
  }

  /** `is_unique`: of items that are told apart by how they are written. */
  GoalPlan plan(GoalId goal, bool is_unique) {
    std::set<std::string> literals;
    std::set<int32_t> texts, numbers;
    GoalPlan result{ByteTree({})};
    const std::vector<Shape>& shapes = goals_.shapes(goal);
    where_ = goals_.where(goal);
    for (const Shape& shape : shapes) {
      if (is_unique) refuse_unless_told_apart(shape);
      for (const auto& [type, word] : {std::pair(kNullType, "null"), std::pair(kTrueType, "true"),
                                       std::pair(kFalseType, "false")})
        if ((shape.types & type) != 0) literals.insert(word);
      for (const Literal& one : shape.literals)
        literals.insert(one.is_text ? '"' + spelled_text(one.text) + '"'
                                    : spelled_number(one.number));
      if (!shape.is_listed && (shape.types & kTextType) != 0)
        texts.insert(text_plan(shape, is_unique));
      if (!shape.is_listed && (shape.types & kNumberTypes) != 0) {
        numbers.insert(static_cast<int32_t>(plans_.numbers.size()));
        plans_.numbers.emplace_back(shape.numbers);
      }
      if ((shape.types & kArrayType) != 0) add_array(shape, &result);
      if ((shape.types & kObjectType) != 0) add_object(shape, &result);
    }
    result.literals = tree_of(literals);
    result.texts.assign(texts.begin(), texts.end());
    result.numbers.assign(numbers.begin(), numbers.end());
    return result;
  }

  int32_t add_text(const TextRules& rules) {
    const auto same = std::ranges::find_if(plans_.texts, [&](const TextRules& known) {
      return known.patterns == rules.patterns && known.least == rules.least &&
             known.most == rules.most && known.is_canonical == rules.is_canonical;
    });
    if (same != plans_.texts.end()) return static_cast<int32_t>(same - plans_.texts.begin());
    plans_.texts.push_back(rules);
    return static_cast<int32_t>(plans_.texts.size()) - 1;
  }

  int32_t text_plan(const Shape& shape, bool is_canonical) {
    TextRules rules = goals_.texts_of(shape);
    rules.is_canonical = is_canonical || rules.patterns != nullptr;
    return add_text(rules);
  }

  void refuse_unless_told_apart(const Shape& shape) const {
    const TypeSet numbers = shape.is_listed ? 0 : kNumberTypes;
    if ((shape.types & (numbers | kArrayType | kObjectType)) == 0) return;
    throw Error(ErrorCode::kInvalidArgument,
                "\"uniqueItems\" is supported for items that are strings, or values of an "
                "enumeration, at " +
                    where_);
  }

  /** The ways to go on with a part: with any of what is unsettled that it may settle. */
  template <typename Settles>
  std::vector<PartOption> options(const std::vector<Claim>& claims,
                                  const std::vector<Claim>& unsettled, const Settles& may_settle,
                                  bool is_unique = false) {
    std::vector<PartOption> result;
    for (uint32_t bits = 0; bits < 1u << unsettled.size(); bits++) {
      std::vector<Claim> all = claims;
      bool fits = true;
      for (size_t i = 0; i < unsettled.size(); i++) {
        if ((bits >> i & 1) == 0) continue;
        fits = fits && may_settle(i);
        all.push_back(unsettled[i]);
      }
      if (!fits) continue;
      const GoalId goal = goals_.goal_of(std::move(all));
      if (goals_.satisfiable(goal)) result.push_back({plan_of(goal, is_unique), bits});
    }
    return result;
  }

  template <typename Rule>
  std::vector<Claim> unsettled_claims(const std::vector<Rule>& rules) const {
    if (rules.size() > Settling::kMost)
      throw Error(ErrorCode::kInvalidArgument,
                  "more than 4 parts of a value that have to come "
                  "somewhere (\"contains\", or the opposite of what holds for all), at " +
                      where_);
    std::vector<Claim> claims;
    for (const Rule& rule : rules) claims.push_back(rule.claim);
    return claims;
  }

  void add_array(const Shape& shape, GoalPlan* goal) {
    const auto unsettled = unsettled_claims(shape.some_items);
    const int64_t first_alike = shape.first_alike();
    if (first_alike > kMostFirstItems)
      throw Error(ErrorCode::kInvalidArgument, "more than 4,096 first items, at " + where_);
    ArrayPlan plan{shape.least_items, shape.most_items, {}, (1u << unsettled.size()) - 1};
    plan.is_unique = shape.has_unique_items && shape.most_items > 1;
    if (plan.is_unique) plan.most = std::min(plan.most, goals_.n_unique_items(shape));
    for (int64_t index = 0; index <= first_alike && index < shape.most_items; index++) {
      const auto may_settle = [&](size_t i) {
        return shape.some_items[i].from <= index && index <= shape.some_items[i].to;
      };
      auto ways = options(shape.item_claims(index), unsettled, may_settle, plan.is_unique);
      if (ways.empty()) plan.most = index;  // no item can stand here
      plan.items.push_back(std::move(ways));
    }
    if (plan.items.empty()) plan.items.emplace_back();
    if (plan.least > plan.most) return;
    goal->arrays.push_back(static_cast<int32_t>(plans_.arrays.size()));
    plans_.arrays.push_back(std::move(plan));
  }

  void add_object(const Shape& shape, GoalPlan* goal) {
    KeyClasses classes = key_classes(goals_, shape);
    const auto unsettled = unsettled_claims(shape.some_keys);
    std::map<std::string, ObjectPlan::Name> names;
    for (const NamedKey& key : classes.names) {
      const auto may_settle = [&](size_t i) {
        return is_key_in(goals_, shape.some_keys[i].keys, key.name);
      };
      ObjectPlan::Name name{shape.required.contains(key.name), {}};
      if (key.fits) name.options = options(key.claims, unsettled, may_settle);
      if (name.is_required && name.options.empty()) return;
      names.emplace(spelled_text(key.name) + '"', std::move(name));
    }
    ObjectPlan plan{.least = shape.least_keys,
                    .most = shape.most_keys,
                    .tree = ByteTree({}),
                    .n_required = static_cast<int64_t>(shape.required.size()),
                    .unsettled = (1u << unsettled.size()) - 1,
                    .others = -1};
    add_others(shape, classes, unsettled, &plan, &names);
    std::set<std::string> texts;
    for (auto& [text, name] : names) {
      texts.insert(text);
      plan.names.push_back(std::move(name));
    }
    plan.tree = tree_of(texts);
    goal->objects.push_back(static_cast<int32_t>(plans_.objects.size()));
    plans_.objects.push_back(std::move(plan));
  }

  void add_others(const Shape& shape, const KeyClasses& classes,
                  const std::vector<Claim>& unsettled, ObjectPlan* plan,
                  std::map<std::string, ObjectPlan::Name>* names) {
    std::map<std::vector<bool>, std::vector<PartOption>> known;
    for (const OtherKeys& others : classes.others) {
      const auto may_settle = [&](size_t i) {
        return is_class_in(shape.some_keys[i].keys, others);
      };
      auto ways = options(others.claims, unsettled, may_settle);
      if (!ways.empty()) known.emplace(others.matches, std::move(ways));
    }
    if (known.empty()) return;
    TextRules rules{.is_canonical = true};
    if (classes.automata.empty()) {
      plan->other_options.push_back(known.begin()->second);
      plan->others = add_text(rules);
      return;
    }
    const auto dfa = goals_.kept(std::make_shared<const TextDfa>(
        classes.automata, [&](const auto& matches) { return known.contains(matches); }));
    const auto options_of = [&](int32_t state) {
      return dfa->accepts(state) ? known[dfa->matches(state)] : std::vector<PartOption>();
    };
    const auto few = dfa->texts(kMostFiniteNames);
    if (few) {
      for (const auto& [text, state] : *few)
        names->try_emplace(spelled_text(text) + '"', ObjectPlan::Name{false, options_of(state)});
      return;
    }
    for (size_t state = 0; state < dfa->n_states(); state++)
      plan->other_options.push_back(options_of(static_cast<int32_t>(state)));
    rules.patterns = dfa;
    plan->others = add_text(rules);
  }

  Goals goals_;
  Plans plans_;
  std::map<std::pair<GoalId, bool>, int32_t> numbers_;
  std::vector<std::pair<GoalId, bool>> to_plan_;
  std::string where_;
};

}  // namespace

std::vector<uint32_t> sets_of(const std::vector<PartOption>& options) {
  std::vector<uint32_t> sets;
  for (const PartOption& option : options) sets.push_back(option.settles);
  return sets;
}

bool ArrayPlan::can_settle(int64_t index, uint32_t bits) const {
  if (bits == 0) return true;
  Settling settling(bits);
  for (; index < most && index + 1 < std::ssize(items); index++)
    settling.take(sets_of(options(index)), 0);
  if (index < most) settling.take_any(sets_of(options(index)), 1);
  return settling.fewest() <= most - index;
}

std::shared_ptr<const Plans> plan_schema(std::string_view text) {
  try {
    const Schema schema = read_schema(text);
    return std::make_shared<const Plans>(Planner(schema).run());
  } catch (const Error& error) {
    throw Error(error.code(), std::string("the schema cannot be used: ") + error.what());
  }
}

}  // namespace cachalot
