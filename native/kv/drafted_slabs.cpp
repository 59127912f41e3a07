// Slabs for tokens that are only guessed: the part of KvCache that gives them and takes them back.
// Nothing here evicts, so that a guess never costs anybody what is known.

#include <algorithm>

#include "base/check.h"
#include "kv/kv_cache.h"

namespace cachalot {

bool KvCache::reserve_free(KvSegment* leaf, int n) {
  const size_t before = leaf->slabs.size();
  while (leaf->slabs.size() < slabs_for(leaf->tokens.size() + static_cast<size_t>(n))) {
    const auto slab = pool_.allocate();
    if (!slab) {
      free_slabs(leaf, before);
      return false;
    }
    references_.add_slab(leaf, *slab);
  }
  return true;
}

void KvCache::trim(KvSegment* leaf) {
  CHECK(leaf->n_writers == 1, "only an open leaf is trimmed");
  free_slabs(leaf, slabs_for(leaf->tokens.size()));
}

void KvCache::clear_tail(KvSegment* leaf) {
  const auto n = static_cast<int>(leaf->tokens.size() % kTileTokens);
  if (n > 0) copy_({leaf->slabs.back(), leaf->slabs.back(), 0, n});
}

std::optional<uint32_t> KvCache::branch(KvSegment* leaf, size_t i, std::vector<KvCopy>* copies) {
  copies->reserve(copies->size() + 1);  // then nothing here can fail
  const auto slab = pool_.allocate();
  if (!slab) return std::nullopt;
  references_.add_copy();
  const auto n = static_cast<int>(leaf->tokens.size()) - static_cast<int>(i) * kTileTokens;
  if (n > 0) copies->push_back({leaf->slabs[i], *slab, 0, std::min(n, kTileTokens)});
  return slab;
}

void KvCache::adopt(KvSegment* leaf, size_t first, std::span<const uint32_t> slabs) {
  leaf->slabs.reserve(first + slabs.size());  // then nothing here can fail
  free_slabs(leaf, first);
  for (const uint32_t slab : slabs) {
    references_.remove_copy();
    references_.add_slab(leaf, slab);
  }
}

}  // namespace cachalot
