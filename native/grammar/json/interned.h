// Equal values have one number: 0, 1, 2, ... in the order of their coming. What was only looked at
// is forgotten again, the last first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace cachalot {

inline void mix(uint64_t* hash, uint64_t value) {
  *hash = (*hash ^ value) * 0x9e3779b97f4a7c15;
  *hash ^= *hash >> 29;
}

/** Values stay where they are. */
template <typename Value, typename Hash>
class Interned {
 public:
  static constexpr int32_t kNone = -1;

  int32_t id_of(const Value& value) {
    const size_t slot = find_slot(value);
    if (slots_[slot] != kNone) return slots_[slot];
    const auto id = static_cast<int32_t>(values_.size());
    values_.push_back(value);
    slots_[slot] = id;
    if (2 * values_.size() > slots_.size()) grow();
    return id;
  }
  /** kNone: it has not come yet. */
  int32_t find(const Value& value) const { return slots_[find_slot(value)]; }
  const Value& operator[](int32_t id) const { return values_[static_cast<size_t>(id)]; }
  size_t size() const { return values_.size(); }
  /** Forgets all values but the first `n`. */
  void rewind(size_t n) {
    // The last one came to its slot after all others, so nobody has gone on from there.
    for (; values_.size() > n; values_.pop_back()) slots_[find_slot(values_.back())] = kNone;
  }

 private:
  size_t find_slot(const Value& value) const {
    uint64_t hash = 0;
    mix(&hash, Hash()(value) + 1);
    mix(&hash, 1);
    size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot] != kNone && !(values_[static_cast<size_t>(slots_[slot])] == value))
      slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  void grow() {
    slots_.assign(2 * slots_.size(), kNone);
    for (size_t id = 0; id < values_.size(); id++)
      slots_[find_slot(values_[id])] = static_cast<int32_t>(id);
  }

  std::deque<Value> values_;
  std::vector<int32_t> slots_ = std::vector<int32_t>(64, kNone);  // a power of two
};

/** Numbers by numbers. */
class NumberMap {
 public:
  /** Null: there is none. */
  const int32_t* find(uint64_t key) const {
    const Slot& slot = slots_[find_slot(key)];
    return slot.is_used ? &slot.value : nullptr;
  }
  void add(uint64_t key, int32_t value) {
    entries_.push_back({key, value, true});
    if (2 * entries_.size() > slots_.size()) {
      slots_.assign(2 * slots_.size(), {});
      for (const Slot& entry : entries_) slots_[find_slot(entry.key)] = entry;
    } else {
      slots_[find_slot(key)] = entries_.back();
    }
  }
  size_t size() const { return entries_.size(); }
  /** Forgets all but the first `n`. */
  void rewind(size_t n) {
    for (; entries_.size() > n; entries_.pop_back()) slots_[find_slot(entries_.back().key)] = {};
  }
  size_t bytes() const { return (slots_.size() + entries_.size()) * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t key = 0;
    int32_t value = 0;
    bool is_used = false;
  };

  size_t find_slot(uint64_t key) const {
    uint64_t hash = 0;
    mix(&hash, key + 1);
    mix(&hash, 1);
    size_t slot = hash & (slots_.size() - 1);
    while (slots_[slot].is_used && slots_[slot].key != key) slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(64);  // a power of two
  std::vector<Slot> entries_;                        // in the order of their coming
};

}  // namespace cachalot
