// Equal values have one number: 0, 1, 2, ... in the order of their coming.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>

namespace cachalot {

template <typename Value, typename Hash>
class Interned {
 public:
  int32_t id_of(const Value& value) {
    const auto [at, is_new] = ids_.try_emplace(value, static_cast<int32_t>(values_.size()));
    if (is_new) values_.push_back(&at->first);
    return at->second;
  }
  const Value& operator[](int32_t id) const { return *values_[static_cast<size_t>(id)]; }
  size_t size() const { return values_.size(); }

 private:
  std::unordered_map<Value, int32_t, Hash> ids_;
  std::deque<const Value*> values_;  // a map's keys stay where they are
};

inline void mix(uint64_t* hash, uint64_t value) {
  *hash = (*hash ^ value) * 0x9e3779b97f4a7c15;
  *hash ^= *hash >> 29;
}

}  // namespace cachalot
