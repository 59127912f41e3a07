// KV found by content. A radix tree (kv/radix_tree.h) over token ids says what is stored; the pool
// holds it. Matching is exact to the token: whole slabs of 32 tokens are shared, the rest of a
// match (at most 31 tokens) is copied into the new leaf. A token becomes findable when the step
// that computed it is committed. Leaves without a reference are cache; the least valuable is
// evicted first when the pool runs short.
//
// Slabs change hands in these places:
//   pool -> leaf           reserve, and open (the slab that the tail of a match is copied into)
//   pool -> Branch         branch (free ones), and back: give_back; Branch -> leaf   adopt
//   pool -> HeldRange      hold (copies of slabs), and back: let_go
//   pool -> EditedPart     take_slab, and back: give_back
//   segment -> upper part  RadixTree::split: no slab moves in memory
//   leaf -> pool           free_tokens: slabs that a window has passed
//   segment -> pool        free_slabs, called by release and trim (slabs reserved and not used),
//                          discard, evict_one and clear, and for text that is stored twice
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "backend/params.h"
#include "kv/pool.h"
#include "kv/radix_tree.h"
#include "kv/references.h"

namespace cachalot {

class KvCache {
 public:
  /** `copy` copies the first tokens of one slab into another, at once. */
  KvCache(KvPool& pool, std::function<void(const KvCopy&)> copy);

  /** How many of `tokens` are stored under `key`. Changes nothing. */
  int match(const TreeKey& key, std::span<const int32_t> tokens) const;

  /** Opens a leaf for a sequence that begins with `tokens`. Its context, leaf->end() tokens, is the
   * longest stored prefix of `tokens`. The leaf stays until `release` or `discard`. */
  KvSegment* open(const TreeKey& key, std::span<const int32_t> tokens);

  /** Makes room for n more tokens at the end of an open leaf, evicting if need be. Returns
   * false, and changes nothing for the leaf, if there is no memory. */
  bool reserve(KvSegment* leaf, int n);
  /** The same, but never evicts anything. */
  bool reserve_free(KvSegment* leaf, int n);
  /** Frees the slabs that were reserved and not used. */
  void trim(KvSegment* leaf);
  /** Clears what is not the leaf's own in its last slab: dropped keys that are no numbers. */
  void clear_tail(KvSegment* leaf);
  /** A free slab that stands for slab `i` of an open leaf in a branch of its text, once `copies`
   * have been made; nothing if no slab is free. */
  std::optional<uint32_t> branch(KvSegment* leaf, size_t i, std::vector<KvCopy>* copies);
  /** Slabs of a branch take the places of the leaf's, from slab `first` on. */
  void adopt(KvSegment* leaf, size_t first, std::span<const uint32_t> slabs);
  /** Adds tokens whose KV has been computed. Room must have been reserved. */
  void commit(KvSegment* leaf, std::span<const int32_t> tokens);
  /** Frees the whole slabs of an open leaf's tokens [begin, end), counted from the root: nobody
   * reads them any more. What the leaf has from there on will not be cache. Returns how many. */
  int free_tokens(KvSegment* leaf, int begin, int end);
  /** Ends writing: the leaf becomes cache. */
  void release(KvSegment* leaf);
  /** Ends writing and forgets the leaf's own tokens, whose KV cannot be trusted. */
  void discard(KvSegment* leaf);

  /** Keeps the whole slabs of `tokens`, as far as they are stored, until `unpin` is called as
   * often. The rest, at most 31 tokens unless a window has passed some, stays ordinary cache. Null
   * for fewer than 32 tokens. */
  KvSegment* pin(const TreeKey& key, std::span<const int32_t> tokens);
  /** Null is allowed. */
  void unpin(KvSegment* segment);

  /** A range of a stored text that is read in place, as long as it is held. */
  struct HeldRange {
    std::vector<uint32_t> slabs;   // one for every 32 tokens, from the one that holds the first
    std::vector<uint32_t> copies;  // those of them that are copies: where the range begins or ends
                                   // inside a slab, with zeros outside of it
    KvSegment* pinned = nullptr;   // keeps the others
  };
  enum class Hold { kHeld, kMissing, kNoMemory };
  /** Holds tokens [first, tokens.size()) of a text. If they are not all stored, or there is no
   * memory for the copies, nothing is held. */
  Hold hold(const TreeKey& key, std::span<const int32_t> tokens, int first, HeldRange* range);
  void let_go(HeldRange* range);

  /** A slab that somebody else than the tree fills, evicting if need be; nothing if there is no
   * memory. */
  std::optional<uint32_t> take_slab();
  void give_back(uint32_t slab);
  /** n of these slabs are idle. Negative: they are used again. */
  void add_idle(int n) { references_.add_idle_copies(n); }
  /** `reclaim` gives some idle slabs back, or returns false: those that are worth less than a
   * stored text, which would be evicted next; any of them if that is null. */
  void reclaim_with(std::function<bool(const Worth*)> reclaim) { reclaim_ = std::move(reclaim); }
  /** A point on the clock of uses, after all before. */
  uint64_t next_use() { return references_.order().next_use(); }

  /** How long, and with which priority, stored tokens are kept. */
  struct Retention {
    int priority = kDefaultPriority;
    int64_t ttl_ms = 0;  // after the last use; 0: as long as there is room
  };
  void set_retention(const TreeKey& key, std::span<const int32_t> tokens,
                     const Retention& retention);
  /** Nobody is expected to read the stored KV of `tokens` beyond the first `keep`, so it is evicted
   * first. */
  void demote(const TreeKey& key, std::span<const int32_t> tokens, int keep);
  /** From now on evicts the least recently used leaf, whatever its worth. For comparison. */
  void use_lru() { references_.order().use_lru(); }
  /** Sets the clock, in milliseconds, which only goes forward: times to live may end. */
  void set_time(int64_t now_ms) { references_.order().set_time(now_ms); }

  /** Bytes that are available: free ones, and those of segments that nothing references. */
  int64_t available_bytes() const;
  /** How much of a text is stored: its first n_tokens; and how many of the available bytes that
   * are.
   */
  struct Stored {
    int n_tokens = 0;
    int64_t available_bytes = 0;
  };
  Stored stored(const TreeKey& key, std::span<const int32_t> tokens) const;
  int n_segments() const { return tree_.n_segments(); }
  int n_writers() const;
  /** Evicts everything that nothing references, idle slabs too. */
  void clear();

  /** Throws internal if a rule is broken: test builds call it after every step. */
  void check_invariants() const;

 private:
  KvSegment* add_leaf(KvSegment* parent);
  KvSegment* pin(KvSegment* segment);
  void copy_tail(KvSegment* leaf, KvSegment* source, int n);
  void touch_path(KvSegment* last);
  bool copy_edges(const RadixTree::Match& match, int first, HeldRange* range);
  std::optional<uint32_t> allocate_slab();
  bool evict_one();
  void free_slabs(KvSegment* segment, size_t keep);
  void close_hole(KvSegment* leaf);
  void remove(KvSegment* segment);
  void drop_duplicates(KvSegment* leaf);

  KvPool& pool_;
  std::function<void(const KvCopy&)> copy_;
  std::function<bool(const Worth*)> reclaim_ = [](const Worth*) { return false; };
  RadixTree tree_;
  References references_;
};

}  // namespace cachalot
