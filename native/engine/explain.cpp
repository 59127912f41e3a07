#include "engine/explain.h"

#include <algorithm>

#include "backend/attention_plan.h"

namespace cachalot {

namespace {

constexpr size_t kMaxGroups = 32;

/** How often a range is read: once if it is grouped, else by each reader or group below it. */
int n_readers_of(const ReaderTree& tree, const SharedRange& range) {
  if (range.grouped) return 1;
  int n = range.n_readers;
  for (const int32_t child : range.children) {
    const SharedRange& below = tree.ranges[static_cast<size_t>(child)];
    n += n_readers_of(tree, below) - below.n_readers;
  }
  return n;
}

}  // namespace

std::vector<GroupReport> report_groups(const ReaderTree& tree, uint64_t kv_bytes_per_token) {
  std::vector<GroupReport> groups;
  for (const SharedRange& range : tree.ranges) {
    const int n_tokens = (range.end_tile - range.first_tile) * kTileTokens;
    const auto not_read = static_cast<uint64_t>(range.n_readers - n_readers_of(tree, range));
    groups.push_back({range.depth, range.n_readers, range.n_rows, range.first_tile * kTileTokens,
                      n_tokens, range.grouped, range.grouped_us, range.separate_us,
                      not_read * static_cast<uint64_t>(n_tokens) * kv_bytes_per_token});
  }
  std::stable_sort(groups.begin(), groups.end(), [](const GroupReport& a, const GroupReport& b) {
    return a.bytes_not_read > b.bytes_not_read;
  });
  if (groups.size() > kMaxGroups) groups.resize(kMaxGroups);
  return groups;
}

}  // namespace cachalot
