// The preambles that sequences read now: their parts, held in place. One that nobody uses is let
// go: its texts are ordinary cache then, and are computed again if they are evicted.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "kv/kv_cache.h"
#include "kv/slab_lists.h"

namespace cachalot {

/** A preamble with users. Its parts are held one after the other, as their texts get stored. */
class HeldPreamble {
 public:
  HeldPreamble(TreeKey key, SlabLists& lists);

  const TreeKey& key() const { return key_; }
  bool holds(size_t part) const { return is_held_[part]; }
  /** The tokens of the parts that are held. */
  size_t n_tokens() const;
  /** The parts as a context reads them; those that are not held are empty. */
  std::span<const ContextPart> parts() const { return parts_; }
  std::span<SlabList> lists() { return lists_; }

 private:
  friend class Preambles;

  TreeKey key_;  // of the tree below it
  int n_users_ = 0;
  std::vector<bool> is_held_;
  std::vector<KvCache::HeldRange> ranges_;
  std::vector<SlabList> lists_;
  std::vector<ContextPart> parts_;
};

class Preambles {
 public:
  Preambles(KvCache& cache, SlabLists& lists) : cache_(cache), lists_(lists) {}

  /** The preamble of a key that has one. It stays until `leave` is called as often. */
  HeldPreamble* use(const TreeKey& key);
  void leave(HeldPreamble* held);
  /** Holds a part that is not held yet. */
  KvCache::Hold hold(HeldPreamble* held, size_t part);

 private:
  KvCache& cache_;
  SlabLists& lists_;
  std::map<TreeKey, HeldPreamble> held_;
};

}  // namespace cachalot
