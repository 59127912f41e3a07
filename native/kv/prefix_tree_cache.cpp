// The prefix tree as a cache: what is kept on purpose, what is worth little, what goes.

#include <algorithm>

#include "base/check.h"
#include "kv/prefix_tree.h"

namespace cachalot {

KvSegment* PrefixTree::pin(const std::string& key, std::span<const int32_t> tokens) {
  const auto whole =
      tokens.first(static_cast<size_t>(whole_blocks(static_cast<int>(tokens.size()))));
  if (whole.empty()) return nullptr;
  const Match match = find(root(key), whole);
  CHECK(match.end() == static_cast<int>(whole.size()), "what is pinned has been stored");
  KvSegment* segment = match.n_child == 0 ? match.node : split(match.child, match.n_child);
  segment->n_pins++;
  use(segment);
  return segment;
}

void PrefixTree::unpin(KvSegment* segment) {
  if (segment == nullptr) return;
  CHECK(segment->n_pins > 0, "a segment is unpinned as often as it was pinned");
  segment->n_pins--;
  leave(segment);
}

void PrefixTree::retain(const std::string& key, std::span<const int32_t> tokens,
                        const Retention& retention) {
  const auto found = roots_.find(key);
  if (found == roots_.end()) return;
  const Match match = find(found->second.get(), tokens);
  KvSegment* last = match.child == nullptr ? match.node : match.child;
  for (KvSegment* segment = last; segment->parent != nullptr; segment = segment->parent) {
    change(segment, [&] {
      segment->worth.priority = retention.priority;
      segment->worth.ttl_ms = retention.ttl_ms;
      order_.touch(segment, false);
    });
  }
}

void PrefixTree::give_up(const std::string& key, std::span<const int32_t> tokens, int keep) {
  const auto found = roots_.find(key);
  if (found == roots_.end()) return;
  Match match = find(found->second.get(), tokens);
  KvSegment* last = match.child == nullptr ? match.node : match.child;
  for (KvSegment* segment = last; segment->parent != nullptr && segment->end() > keep;
       segment = segment->parent) {
    const int whole = whole_blocks(std::max(0, keep - segment->begin));
    if (whole > 0 && segment->n_users == 0) split(segment, whole);
    if (segment->begin + kTileTokens <= keep || segment->worth.ttl_ms != 0) continue;
    change(segment, [&] { segment->worth.expendable = true; });
  }
}

/** Gives up the last run of the leaf that is worth least. */
bool PrefixTree::evict_one() {
  KvSegment* leaf = order_.first();
  if (leaf == nullptr) return false;
  order_.age(leaf->worth);
  give_runs(leaf, leaf->runs.size() - 1);
  leaf->tokens.resize(std::min(leaf->tokens.size(), leaf->runs.size() * kTileTokens));
  if (leaf->tokens.empty()) remove(leaf);
  return true;
}

void PrefixTree::clear() {
  while (evict_one()) {
  }
}

}  // namespace cachalot
