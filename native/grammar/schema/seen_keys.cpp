#include "grammar/schema/seen_keys.h"

#include <algorithm>
#include <bit>

#include "grammar/schema/settling.h"

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

int64_t KeyChoice::room() const {
  return plan_.most - seen_.n() - (plan_.n_required - seen_.n_required);
}

bool KeyChoice::is_free(int32_t name) const {
  const ObjectPlan::Name& one = plan_.names[static_cast<size_t>(name)];
  return !one.options.empty() && !seen_.has(name) && (one.is_required || room() > 0);
}

bool KeyChoice::may_have(int32_t name) const {
  if (!is_free(name)) return false;
  const ObjectPlan::Name& one = plan_.names[static_cast<size_t>(name)];
  return settles_after(one.options, name, one.is_required ? 0 : 1);
}

bool KeyChoice::may_have_other() const {
  if (plan_.others < 0 || room() == 0) return false;
  return std::ranges::any_of(plan_.other_options, [&](const std::vector<PartOption>& options) {
    return settles_after(options, kNoName, 1);
  });
}

/** Whether all can be settled after a part that has one of these options. */
bool KeyChoice::settles_after(const std::vector<PartOption>& options, int32_t name,
                              int64_t cost) const {
  if (unsettled_ == 0) return !options.empty();
  return std::ranges::any_of(options, [&](const PartOption& option) {
    return can_settle(unsettled_ & ~option.settles, room() - cost, name);
  });
}

bool KeyChoice::any_name(int32_t first, int32_t end) const {
  for (int32_t name = first; name < end; name++)
    if (may_have(name)) return true;
  return false;
}

bool KeyChoice::can_settle(uint32_t unsettled, int64_t room, int32_t without) const {
  if (unsettled == 0) return true;
  Settling settling(unsettled);
  for (int32_t name = 0; name < std::ssize(plan_.names); name++) {
    const ObjectPlan::Name& one = plan_.names[static_cast<size_t>(name)];
    if (name != without && is_free(name))
      settling.take(sets_of(one.options), one.is_required ? 0 : 1);
  }
  std::vector<uint32_t> others;
  for (const auto& options : plan_.other_options)
    for (const uint32_t set : sets_of(options)) others.push_back(set);
  if (plan_.others >= 0) settling.take_any(others, 1);
  return settling.fewest() <= room;
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
  if (table_.size() > n_before) bytes_ += bytes_of(seen);
  return id;
}

size_t SeenKeysTable::bytes_of(const SeenKeys& seen) {
  return 160 + seen.names.size() * sizeof(uint64_t) + seen.others.size() * sizeof(int32_t);
}

void SeenKeysTable::rewind(size_t n) {
  for (auto id = static_cast<int32_t>(table_.size()); static_cast<size_t>(id) > n; id--)
    bytes_ -= bytes_of(table_[id - 1]);
  table_.rewind(n);
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
