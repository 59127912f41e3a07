// Ranges of stored texts that contexts read in place: the part of KvCache that holds them.

#include <algorithm>

#include "kv/kv_cache.h"

namespace cachalot {

KvCache::Hold KvCache::hold(const TreeKey& key, std::span<const int32_t> tokens, int first,
                            HeldRange* range) {
  KvSegment* root = tree_.find_root(key);
  const auto n = static_cast<int>(tokens.size());
  if (root == nullptr) return Hold::kMissing;
  RadixTree::Match match = RadixTree::match(root, tokens);
  if (match.end() < n) return Hold::kMissing;
  touch_path(match.child == nullptr ? match.node : match.child);
  const int n_whole = whole_slab_tokens(match.n_child);
  if (n_whole > 0) match.node = tree_.split(match.child, n_whole);
  match.n_child -= n_whole;
  if (match.n_child == 0) match.child = nullptr;
  if (match.node != root) range->pinned = pin(match.node);
  KvSegment* source = match.child;
  if (source != nullptr) references_.retain(source);  // the copies' slabs must not evict it
  const bool is_done = copy_edges(match, first, range);
  if (source != nullptr) references_.drop(source);
  if (is_done) return Hold::kHeld;
  let_go(range);
  return Hold::kNoMemory;
}

/** Lists the slabs of a stored text from the one with token `first` on, with copies of those that
 * the range fills in part. False if there is no memory. */
bool KvCache::copy_edges(const RadixTree::Match& match, int first, HeldRange* range) {
  const int end = match.end();
  range->slabs = context_slabs(match.node);
  if (match.child != nullptr)
    range->slabs.insert(range->slabs.end(), match.child->slabs.begin(),
                        match.child->slabs.begin() + slabs_for(match.n_child));
  range->slabs.erase(range->slabs.begin(), range->slabs.begin() + first / kTileTokens);
  const int origin = whole_slab_tokens(first);
  for (size_t i = 0; i < range->slabs.size(); i++) {
    const int begin = origin + static_cast<int>(i) * kTileTokens;
    const int first_slot = std::max(0, first - begin),
              end_slot = std::min(end - begin, kTileTokens);
    if (end_slot - first_slot == kTileTokens) continue;
    const auto slab = take_slab();
    if (!slab) return false;
    range->copies.push_back(*slab);
    copy_({range->slabs[i], *slab, first_slot, end_slot});
    range->slabs[i] = *slab;
  }
  return true;
}

std::optional<uint32_t> KvCache::take_slab() {
  const auto slab = allocate_slab();
  if (slab) references_.add_copy();
  return slab;
}

void KvCache::give_back(uint32_t slab) {
  pool_.free(slab);
  references_.remove_copy();
}

void KvCache::let_go(HeldRange* range) {
  for (const uint32_t slab : range->copies) give_back(slab);
  unpin(range->pinned);
  *range = {};
}

}  // namespace cachalot
