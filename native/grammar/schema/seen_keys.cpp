#include "grammar/schema/seen_keys.h"

#include <algorithm>
#include <bit>

namespace cachalot {

int64_t SeenKeys::n() const {
  int64_t n = std::ssize(others);
  for (const uint64_t word : names) n += std::popcount(word);
  return n;
}

bool SeenKeys::has(int32_t name) const {
  return (names[static_cast<size_t>(name) / 64] >> (name % 64) & 1) != 0;
}

bool KeyChoice::may_end() const {
  return unsettled_ == 0 && seen_.n_required == plan_.n_required && seen_.n() >= plan_.least;
}

bool KeyChoice::has_room(bool is_required) const {
  const int64_t n_missing = plan_.n_required - seen_.n_required;
  return seen_.n() + n_missing + (is_required ? 0 : 1) <= plan_.most;
}

bool KeyChoice::may_have(int32_t name) const {
  const ObjectPlan::Name& one = plan_.names[static_cast<size_t>(name)];
  return !one.options.empty() && !seen_.has(name) && has_room(one.is_required);
}

bool KeyChoice::any_name(int32_t first, int32_t end) const {
  for (int32_t name = first; name < end; name++)
    if (may_have(name)) return true;
  return false;
}

bool KeyChoice::can_settle() const {
  uint32_t possible = 0;
  const auto add = [&](const std::vector<PartOption>& options) {
    for (const PartOption& option : options) possible |= option.settles;
  };
  if (unsettled_ == 0) return true;
  if (may_have_other())
    for (const auto& options : plan_.other_options) add(options);
  for (int32_t name = 0; name < std::ssize(plan_.names); name++)
    if (may_have(name)) add(plan_.names[static_cast<size_t>(name)].options);
  return (unsettled_ & ~possible) == 0;
}

size_t SeenKeysTable::Hash::operator()(const SeenKeys& seen) const {
  uint64_t hash = static_cast<uint64_t>(seen.n_required);
  for (const uint64_t word : seen.names) mix(&hash, word);
  for (const int32_t other : seen.others) mix(&hash, static_cast<uint64_t>(other) + 1);
  return static_cast<size_t>(hash);
}

int32_t SeenKeysTable::id_of(const SeenKeys& seen) {
  const size_t n_before = table_.size();
  const int32_t id = table_.id_of(seen);
  if (table_.size() > n_before)
    bytes_ += 160 + seen.names.size() * sizeof(uint64_t) + seen.others.size() * sizeof(int32_t);
  return id;
}

int32_t SeenKeysTable::empty(const ObjectPlan& plan) {
  return id_of({.names = std::vector<uint64_t>((plan.names.size() + 63) / 64)});
}

int32_t SeenKeysTable::with_name(int32_t seen, int32_t name, bool is_required) {
  SeenKeys after = table_[seen];
  after.names[static_cast<size_t>(name) / 64] |= uint64_t{1} << (name % 64);
  after.n_required += is_required ? 1 : 0;
  return id_of(after);
}

int32_t SeenKeysTable::with_other(int32_t seen, int32_t end_of_text) {
  SeenKeys after = table_[seen];
  after.others.insert(std::ranges::lower_bound(after.others, end_of_text), end_of_text);
  return id_of(after);
}

}  // namespace cachalot
