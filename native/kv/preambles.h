// The preambles that sequences read now: their parts, held in place. One that nobody uses is let
// go: its texts are ordinary cache then, and are computed again if they are evicted. What an edit
// has left of a context stays for the next user, as long as there is memory.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "kv/edited_part.h"
#include "kv/kv_cache.h"
#include "kv/policies/policy.h"
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
  int n_edited_slabs() const;

  TreeKey key_;  // of the tree below it
  int n_users_ = 0;
  uint64_t idle_since_ = 0;  // of one without users, on the clock of Preambles
  std::vector<bool> is_held_;
  std::vector<KvCache::HeldRange> ranges_;
  std::vector<SlabList> lists_;
  std::vector<ContextPart> parts_;
  std::vector<std::unique_ptr<EditedPart>> edited_;  // of parts that are; else null
};

class Preambles {
 public:
  /** `policies`: those that edits name. */
  Preambles(KvCache& cache, const KvPool& pool, SlabLists& lists, Backend& backend,
            PolicyMaker policies)
      : cache_(cache),
        pool_(pool),
        lists_(lists),
        backend_(backend),
        policies_(std::move(policies)) {
    cache_.reclaim_with([this] { return reclaim(); });
  }
  Preambles(const Preambles&) = delete;
  Preambles& operator=(const Preambles&) = delete;

  /** The preamble of a key; null if it has none. It stays until `leave` is called as often. */
  HeldPreamble* use(const TreeKey& key);
  /** Null is allowed. */
  void leave(HeldPreamble* held);
  /** Holds a part that is not held yet. If it is an edit of another one, that must be held. */
  KvCache::Hold hold(HeldPreamble* held, size_t part);

 private:
  bool reclaim();
  KvCache::Hold hold_edited(HeldPreamble* held, size_t part);

  KvCache& cache_;
  const KvPool& pool_;
  SlabLists& lists_;
  Backend& backend_;
  PolicyMaker policies_;
  std::map<TreeKey, HeldPreamble> held_;
  uint64_t clock_ = 0;  // counts preambles that have become idle
};

}  // namespace cachalot
