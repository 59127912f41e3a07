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

/** What several ask of one segment: the highest priority, the longest time. */
void PrefixTree::retain(const std::string& key, std::span<const int32_t> tokens,
                        const Retention& retention) {
  const auto found = roots_.find(key);
  if (found == roots_.end()) return;
  const Match match = find(found->second.get(), tokens);
  KvSegment* last = match.node;
  if (match.child != nullptr) {
    const bool all = match.n_child == static_cast<int>(match.child->tokens.size());
    const int whole = whole_blocks(match.n_child);
    if (all) last = match.child;
    else if (whole > 0) last = split(match.child, whole);
  }
  for (KvSegment* segment = last; segment->parent != nullptr; segment = segment->parent) {
    change(segment, [&] {
      Worth& worth = segment->worth;
      const bool first = !worth.retained;
      worth.retained = true;
      worth.priority = first ? retention.priority : std::max(worth.priority, retention.priority);
      const bool for_ever = retention.ttl_ms == 0 || (!first && worth.ttl_ms == 0);
      worth.ttl_ms = for_ever ? 0 : std::max(worth.ttl_ms, retention.ttl_ms);
      order_.touch(segment, false);
    });
  }
}

/** A segment that goes on otherwise, or that somebody wants kept, is not the tokens' own. */
void PrefixTree::give_up(const std::string& key, std::span<const int32_t> tokens, int keep) {
  const auto found = roots_.find(key);
  if (found == roots_.end()) return;
  const Match match = find(found->second.get(), tokens);
  const bool all =
      match.child != nullptr && match.n_child == static_cast<int>(match.child->tokens.size());
  KvSegment* last = all ? match.child : match.node;
  for (KvSegment* segment = last; segment->parent != nullptr && segment->end() > keep;
       segment = segment->parent) {
    if (segment->n_users > 0 || segment->worth.retained) continue;
    const int whole = whole_blocks(std::max(0, keep - segment->begin));
    if (whole > 0) split(segment, whole);
    if (segment->begin + kTileTokens <= keep) continue;
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
