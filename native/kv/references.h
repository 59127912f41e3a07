// Counts the references to segments: writers, pins, and children that are referenced. Keeps two
// things true: the segments that may be evicted are those that are cache (leaves without a
// reference), and n_held is the number of slabs that something holds: those of segments that have a
// reference, and copies that no segment owns.
#pragma once

#include <utility>

#include "kv/eviction_order.h"
#include "kv/segment.h"

namespace cachalot {

class References {
 public:
  /** Adds a reference: the segment and all above it are held. */
  void retain(KvSegment* segment) {
    for (; segment != nullptr; segment = segment->parent) {
      if (is_cache(*segment)) order_.erase(segment);
      if (segment->ref_count++ > 0) return;
      n_held_ += static_cast<int>(segment->slabs.size());
    }
  }
  /** Takes a reference away. */
  void drop(KvSegment* segment) {
    for (; segment != nullptr; segment = segment->parent) {
      if (--segment->ref_count > 0) return;
      n_held_ -= static_cast<int>(segment->slabs.size());
      if (is_cache(*segment)) order_.insert(segment);
    }
  }

  /** Runs `change`, which may change the segment's worth or its children. */
  template <typename Change>
  void update(KvSegment* segment, const Change& change) {
    if (is_cache(*segment)) order_.erase(segment);
    change();
    if (is_cache(*segment)) order_.insert(segment);
  }
  /** The segment, which is cache, leaves the tree. */
  void forget(KvSegment* segment) { order_.erase(segment); }

  void add_slab(KvSegment* segment, uint32_t slab) {
    segment->slabs.push_back(slab);
    if (segment->ref_count > 0) n_held_++;
  }
  /** kNoSlab for one that was freed before. */
  uint32_t remove_slab(KvSegment* segment) {
    const uint32_t slab = segment->slabs.back();
    segment->slabs.pop_back();
    if (segment->ref_count > 0 && slab != kNoSlab) n_held_--;
    return slab;
  }
  /** Leaves a hole in a segment that has a reference. */
  uint32_t take_slab(KvSegment* segment, size_t i) {
    n_held_--;
    return std::exchange(segment->slabs[i], kNoSlab);
  }

  /** A slab that no segment owns is held from now on, or no longer. */
  void add_copy() { n_copies_++; }
  void remove_copy() { n_copies_--; }
  /** n copies that nobody uses: they may be had back. Negative: they are used again. */
  void add_idle_copies(int n) { n_idle_ += n; }

  int n_held() const { return n_held_ + n_copies_ - n_idle_; }
  int n_copies() const { return n_copies_; }
  int n_idle_copies() const { return n_idle_; }
  EvictionOrder& order() { return order_; }

 private:
  EvictionOrder order_;
  int n_held_ = 0, n_copies_ = 0, n_idle_ = 0;
};

}  // namespace cachalot
