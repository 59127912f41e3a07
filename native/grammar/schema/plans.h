// A schema made ready for reading: what may begin a value of a goal, and how its parts go on.
// Goals, plans, texts and numbers have numbers; nothing changes any more.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/json/byte_tree.h"
#include "grammar/number/number_rules.h"
#include "grammar/text/text_reader.h"

namespace cachalot {

/** What a value that is read has to fit, and what it does beside: `settles`: bits of what has to
 * come once, and comes with it. */
struct PartOption {
  int32_t goal;
  uint32_t settles;
};

/** Each of which may be settled; with nothing as well. */
std::vector<uint32_t> sets_of(const std::vector<PartOption>& options);

struct GoalPlan {
  ByteTree literals;  // as JSON writes them
  std::vector<int32_t> texts{}, numbers{}, arrays{}, objects{};
};

constexpr int64_t kEndlessItems = TextDfa::kEndless;

struct ArrayPlan {
  int64_t least, most;
  std::vector<std::vector<PartOption>> items;  // the last is for all further ones
  uint32_t unsettled;                          // what has to come once
  bool is_unique = false;                      // no item twice: all are texts or literals
  const std::vector<PartOption>& options(int64_t index) const {
    return items[static_cast<size_t>(std::min<int64_t>(index, std::ssize(items) - 1))];
  }
  /** Whether items from `index` on can settle all of these bits. */
  bool can_settle(int64_t index, uint32_t bits) const;
};

struct ObjectPlan {
  struct Name {
    bool is_required;
    std::vector<PartOption> options;  // none: it may not come
  };

  int64_t least, most;
  ByteTree tree;  // names as JSON writes them, with the closing quote
  std::vector<Name> names{};
  int64_t n_required;
  uint32_t unsettled;
  int32_t others;  // the texts that other names are; -1: none may come
  std::vector<std::vector<PartOption>> other_options{};  // by state of their patterns; or one
};

struct Plans {
  int32_t root = 0;
  std::vector<GoalPlan> goals;
  std::vector<TextRules> texts;
  std::vector<NumberRules> numbers;
  std::vector<ArrayPlan> arrays;
  std::vector<ObjectPlan> objects;
};

/** Throws invalid_argument that says what of a schema is wrong or not supported, and where. */
std::shared_ptr<const Plans> plan_schema(std::string_view schema);

}  // namespace cachalot
