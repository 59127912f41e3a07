// The properties that an object has so far, as a number.
#pragma once

#include <vector>

#include "grammar/json/interned.h"
#include "grammar/schema/plans.h"

namespace cachalot {

struct SeenKeys {
  std::vector<uint64_t> names{};  // bits of those that the plan knows
  std::vector<int32_t> others{};  // ends of their texts, ascending
  int64_t n_required = 0;
  int64_t n() const;
  bool has(int32_t name) const;
  bool operator==(const SeenKeys&) const = default;
};

/** What may still come in an object. */
class KeyChoice {
 public:
  /** `unsettled`: what has to come once and has not. */
  KeyChoice(const ObjectPlan& plan, const SeenKeys& seen, uint32_t unsettled)
      : plan_(plan), seen_(seen), unsettled_(unsettled) {}

  bool may_end() const;
  /** Whether another name may come, of any. */
  bool may_go_on() const {
    return may_have_other() || any_name(0, static_cast<int32_t>(plan_.names.size()));
  }
  /** Whether one of the names [first, end) may. */
  bool any_name(int32_t first, int32_t end) const;
  bool may_have(int32_t name) const;
  /** Whether a name may that the plan does not know. */
  bool may_have_other() const;
  /** Whether all that has to come once can still come. */
  bool can_settle() const { return can_settle(unsettled_, room(), kNoName); }

 private:
  static constexpr int32_t kNoName = -1;

  /** How many names that are not required may come. */
  int64_t room() const;
  bool is_free(int32_t name) const;
  bool settles_after(const std::vector<PartOption>& options, int32_t name, int64_t cost) const;
  bool can_settle(uint32_t unsettled, int64_t room, int32_t without) const;

  const ObjectPlan& plan_;
  const SeenKeys& seen_;
  uint32_t unsettled_;
};

/** All sets of properties that have been seen, each once. */
class SeenKeysTable {
 public:
  int32_t empty(const ObjectPlan& plan);
  int32_t nothing() { return id_of({}); }
  int32_t with_name(int32_t seen, int32_t name, bool is_required);
  int32_t with_other(int32_t seen, int32_t end_of_text);
  const SeenKeys& operator[](int32_t id) const { return table_[id]; }
  size_t bytes() const { return bytes_; }
  size_t size() const { return table_.size(); }
  void rewind(size_t n);

 private:
  struct Hash {
    size_t operator()(const SeenKeys& seen) const;
  };
  static size_t bytes_of(const SeenKeys& seen);
  int32_t id_of(const SeenKeys& seen);

  Interned<SeenKeys, Hash> table_;
  size_t bytes_ = 0;
};

}  // namespace cachalot
