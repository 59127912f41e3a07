// Slabs of open leaves that a window has passed: the part of KvCache that frees them.

#include <algorithm>

#include "kv/kv_cache.h"

namespace cachalot {

int KvCache::free_tokens(KvSegment* leaf, int begin, int end) {
  const auto slab_of = [&](int token) {
    return static_cast<size_t>(std::max(0, token - leaf->begin) / kTileTokens);
  };
  const bool has_hole = leaf->hole_begin < leaf->hole_end;
  size_t first = has_hole ? leaf->hole_end : slab_of(begin + kTileTokens - 1);
  const size_t last = std::min(slab_of(end), leaf->tokens.size() / kTileTokens);
  if (first >= last) return 0;
  if (!has_hole) leaf->hole_begin = first;
  leaf->hole_end = last;
  const auto n = static_cast<int>(last - first);
  for (; first < last; first++) pool_.free(references_.take_slab(leaf, first));
  return n;
}

/** Without what was freed, what comes after it is of no use. */
void KvCache::close_hole(KvSegment* leaf) {
  if (leaf->hole_begin == leaf->hole_end) return;
  leaf->tokens.resize(static_cast<size_t>(leaf->n_whole()));
  free_slabs(leaf, leaf->hole_begin);
  leaf->hole_begin = leaf->hole_end = 0;
}

}  // namespace cachalot
