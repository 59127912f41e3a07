// Consecutive tokens of a context and the slabs that hold their KV: the node of the radix tree and
// the only owner of slabs. A segment begins at a multiple of 32 tokens of its context, so slab b of
// a context always holds indices 32 b to 32 b + 31; only a leaf may end inside a slab. A sequence
// has a leaf; its context is the path from the root to that leaf.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/arithmetic.h"

namespace cachalot {

constexpr int kDefaultPriority = 35;  // of 0 to 100
constexpr uint32_t kNoSlab = UINT32_MAX;

/** The worth of a segment as cache; see kv/eviction_order.h. */
struct Worth {
  int priority = kDefaultPriority;
  int64_t ttl_ms = 0;       // how long it is kept after its last use; 0: as long as there is room
  int64_t expires_ms = 0;   // on the engine's clock; 0: never
  int64_t used_ms = 0;      // last use, on the engine's clock
  bool is_kept = false;     // a request said how long it is to be kept
  bool is_demoted = false;  // nobody is expected to read it again: it is evicted first
  uint32_t n_hits = 0;
  double value = 0;
  uint64_t last_used = 0;  // logical clock of the cache
};

struct KvSegment {
  KvSegment* parent = nullptr;                       // null for a root; a parent owns its children
  std::vector<std::unique_ptr<KvSegment>> children;  // ascending by their first slabs' tokens
  int begin = 0;                // index of the first token in the texts below the root
  int position = 0;             // logical position of the first token; the others follow
  std::vector<int32_t> tokens;  // those whose KV has been computed
  std::vector<uint32_t> slabs;  // addresses in the pool, one per 32 tokens; some may be reserved
  // Of an open segment: those that a window has passed, and that have been freed, are kNoSlab.
  size_t hole_begin = 0, hole_end = 0;  // in `slabs`
  int n_writers = 0;                    // 1 while a sequence appends here: the segment is open
  int n_pins = 0;     // pinned contexts that end here: sealed, whole slabs, never evicted
  int ref_count = 0;  // writers, pins, and children that are referenced
  Worth worth;        // as cache

  /** The tokens of its first slab. */
  std::span<const int32_t> first_slab() const {
    return std::span(tokens).first(std::min(tokens.size(), size_t{kTileTokens}));
  }
  int end() const { return begin + static_cast<int>(tokens.size()); }
  /** How many first tokens have their KV. */
  int n_whole() const {
    return hole_begin < hole_end ? static_cast<int>(hole_begin) * kTileTokens
                                 : static_cast<int>(tokens.size());
  }
};

/** The number of slabs that hold n_tokens. */
inline size_t slabs_for(size_t n_tokens) { return (n_tokens + kTileTokens - 1) / kTileTokens; }
inline int slabs_for(int n_tokens) {
  return static_cast<int>(slabs_for(static_cast<size_t>(n_tokens)));
}

/** How many of n_tokens are in full slabs. */
inline int whole_slab_tokens(int n_tokens) { return n_tokens / kTileTokens * kTileTokens; }

/** A leaf that nothing references: it may be evicted. */
inline bool is_cache(const KvSegment& segment) {
  return segment.parent != nullptr && segment.ref_count == 0 && segment.children.empty();
}

/** The segment and all below it, parents first. */
template <typename Visitor>
void for_each_segment(const KvSegment& top, const Visitor& visitor) {
  std::vector<const KvSegment*> segments{&top};
  while (!segments.empty()) {
    const KvSegment* segment = segments.back();
    segments.pop_back();
    visitor(*segment);
    for (const auto& child : segment->children) segments.push_back(child.get());
  }
}

}  // namespace cachalot
