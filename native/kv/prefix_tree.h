// KV found by content: a radix tree over token ids. Matching is exact to the token: whole blocks of
// 32 are shared, the rest of a match (at most 31 tokens) is copied into the new leaf. A token
// becomes findable when the step that computed it is committed. Leaves that no sequence writes are
// the cache; they are given up, the least valuable first, when the pool runs short.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>

#include "backend/params.h"
#include "kv/eviction_order.h"
#include "kv/pool.h"
#include "kv/segment.h"

namespace cachalot {

/** A leaf that nobody uses: these are in the eviction order. */
inline bool is_cache(const KvSegment& segment) {
  return segment.parent != nullptr && segment.n_users == 0 && segment.children.empty();
}

inline int whole_blocks(int n_tokens) { return n_tokens / kTileTokens * kTileTokens; }

class PrefixTree {
 public:
  /** `copy` copies the first tokens of one run into another, at once. */
  PrefixTree(KvPool& pool, std::function<void(const KvCopy&)> copy);
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  /** How many of `tokens` are already here, in the tree named `key`. Changes nothing. */
  int match(const std::string& key, std::span<const int32_t> tokens) const;

  /** Opens a leaf for a sequence that begins with `tokens`. Its context, leaf->end() tokens, is the
   * longest stored prefix of `tokens`. The leaf stays until `release` or `discard`. */
  KvSegment* open(const std::string& key, std::span<const int32_t> tokens);

  /** Makes room for n more tokens at the end of an open leaf, evicting if need be. False, and
   * nothing has changed for the leaf, if there is no memory. */
  bool reserve(KvSegment* leaf, int n);
  /** Adds tokens whose KV has been computed. Room must have been reserved. */
  void commit(KvSegment* leaf, std::span<const int32_t> tokens);
  /** Ends writing: the leaf becomes cache. */
  void release(KvSegment* leaf);
  /** Ends writing and forgets the leaf's own tokens, whose KV cannot be trusted. */
  void discard(KvSegment* leaf);

  /** Keeps the whole blocks of `tokens`, which must be stored, until `unpin` as often. The rest, at
   * most 31 tokens, stays ordinary cache. Null for fewer than 32 tokens. */
  KvSegment* pin(const std::string& key, std::span<const int32_t> tokens);
  /** Null is allowed. */
  void unpin(KvSegment* segment);

  /** How long and how dearly what is stored of `tokens` is kept from now on. */
  struct Retention {
    int priority = kDefaultPriority;
    int64_t ttl_ms = 0;
  };
  void retain(const std::string& key, std::span<const int32_t> tokens, const Retention& retention);
  /** Nobody is expected to want what is stored of `tokens` beyond the first `keep`: it goes first.
   */
  void give_up(const std::string& key, std::span<const int32_t> tokens, int keep);
  /** Gives up what was used longest ago, whatever it is worth; for comparison. */
  void use_lru() { order_.use_lru(); }
  /** Milliseconds on a clock that only goes forward: times to live end. */
  void set_time(int64_t now_ms) { order_.set_time(now_ms); }

  /** Runs that could be had: free ones and those of leaves (and then of their parents) that nobody
   * uses. */
  int n_available() const { return pool_.n_runs() - n_held_; }
  /** The same, if a sequence that begins with `tokens` held what is stored of them. */
  int n_available_beside(const std::string& key, std::span<const int32_t> tokens) const;
  int n_segments() const { return n_segments_; }
  int n_writers() const;
  /** Gives up everything that nobody uses. */
  void clear();

  /** Throws internal if a rule of the structure is broken: test builds call it after every step. */
  void check_invariants() const;

 private:
  struct Match {
    KvSegment* node;   // whole segments up to here
    KvSegment* child;  // the child that continues, in part; may be null
    int n_child;       // how many of its tokens match
    int end() const { return node->end() + n_child; }
  };
  Match find(KvSegment* root, std::span<const int32_t> tokens) const;
  KvSegment* root(const std::string& key);
  KvSegment* split(KvSegment* segment, int n_tokens);
  KvSegment* add_leaf(KvSegment* parent);
  void copy_tail(KvSegment* leaf, KvSegment* source, int n);
  std::optional<uint32_t> take_run();
  bool evict_one();
  void use(KvSegment* segment);
  void leave(KvSegment* segment);
  /** Whatever may change a segment's place in the eviction order. */
  template <typename Change>
  void change(KvSegment* segment, const Change& change) {
    if (is_cache(*segment)) order_.erase(segment);
    change();
    if (is_cache(*segment)) order_.insert(segment);
  }
  void give_runs(KvSegment* segment, size_t keep);
  void remove(KvSegment* segment);
  void drop_duplicates(KvSegment* leaf);

  KvPool& pool_;
  std::function<void(const KvCopy&)> copy_;
  std::map<std::string, std::unique_ptr<KvSegment>> roots_;
  EvictionOrder order_;
  int n_held_ = 0;  // runs of segments that have users
  int n_segments_ = 0;
};

/** Addresses of all runs of a context, root first. */
std::vector<uint32_t> context_runs(const KvSegment* leaf);

}  // namespace cachalot
