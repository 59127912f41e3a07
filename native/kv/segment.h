// A run of consecutive tokens and the blocks that hold their KV: the node of the prefix tree and
// the only owner of blocks. A segment begins at a multiple of 32 tokens of its context, so block b
// of a context always holds indices 32 b to 32 b + 31; only a leaf may end inside a block. A
// sequence is a leaf; its context is the walk to the root.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/attention_plan.h"

namespace cachalot {

constexpr int kDefaultPriority = 35;  // of 0 to 100

/** What a segment is worth as cache; see kv/eviction_order.h. */
struct Worth {
  int priority = kDefaultPriority;
  int64_t ttl_ms = 0;       // how long it is kept after its last use; 0: as long as there is room
  int64_t expires_ms = 0;   // on the engine's clock; 0: never
  int64_t used_ms = 0;      // last use, on the engine's clock
  bool retained = false;    // somebody said how it is to be kept
  bool expendable = false;  // nobody is expected to want it: first to go
  uint32_t n_hits = 0;
  double value = 0;
  uint64_t last_used = 0;  // logical clock of the tree
};

struct KvSegment {
  KvSegment* parent = nullptr;  // null for a root; a parent owns its children
  std::vector<std::unique_ptr<KvSegment>> children;
  int begin = 0;  // context index and logical position of the first token
  std::vector<int32_t>
      tokens;                  // those whose KV has been computed; others may be reserved in `runs`
  std::vector<uint32_t> runs;  // addresses in the pool, one per 32 tokens
  int n_writers = 0;           // 1 while a sequence appends here: the segment is open
  int n_pins = 0;              // contexts that keep it: sealed, whole blocks, never evicted
  int n_users = 0;             // writers, pins, and children that have users
  Worth worth;                 // as cache

  int end() const { return begin + static_cast<int>(tokens.size()); }
};

/** Runs that hold so many tokens. */
inline size_t runs_of(size_t n_tokens) { return (n_tokens + kTileTokens - 1) / kTileTokens; }

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
