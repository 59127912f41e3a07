// The shape of the stored KV: one tree of segments per key, each segment a path of token ids (a
// radix tree). It matches, inserts, splits and erases segments. KvCache decides what their KV is
// worth and where memory comes from.
#pragma once

#include <map>
#include <memory>
#include <span>

#include "kv/segment.h"
#include "kv/tree_key.h"

namespace cachalot {

class RadixTree {
 public:
  /** How far a text is stored: whole segments down to `node`, then n_child tokens of `child`. */
  struct Match {
    KvSegment* node;
    KvSegment* child;  // null if no child continues the text
    int n_child;
    int end() const { return node->end() + n_child; }
    /** Whether the text ends where the child does. */
    bool is_whole_child() const {
      return child != nullptr && n_child == static_cast<int>(child->tokens.size());
    }
  };

  RadixTree() = default;
  ~RadixTree();
  RadixTree(const RadixTree&) = delete;
  RadixTree& operator=(const RadixTree&) = delete;

  /** The root of `key`, or null if nothing is stored under it. */
  KvSegment* find_root(const TreeKey& key) const;
  /** The same, made if there is none. */
  KvSegment* root(const TreeKey& key);

  /** The longest stored prefix of `tokens` below `root`. Changes nothing. */
  static Match match(KvSegment* root, std::span<const int32_t> tokens);

  /** A new child of `parent` that begins where the parent ends and holds no tokens yet. */
  KvSegment* insert(KvSegment* parent);
  /** Adds tokens to an open leaf. */
  static void append(KvSegment* leaf, std::span<const int32_t> tokens);
  /** Cuts a segment after its first n_tokens (whole slabs). The upper part becomes a new segment
   * between the parent and `segment`. The lower part stays `segment`: a sequence that writes it
   * does not notice, and no slab moves in memory. Returns the upper part; a sealed segment that
   * ends there is returned itself. */
  KvSegment* split(KvSegment* segment, int n_tokens);
  /** Takes a leaf out, and its root if nothing else is left of the tree. */
  void erase(KvSegment* leaf);

  /** Number of segments without roots. */
  int n_segments() const { return n_segments_; }
  /** Visits all segments, roots included. */
  template <typename Visitor>
  void for_each(const Visitor& visitor) const {
    for (const auto& [key, root] : roots_) for_each_segment(*root, visitor);
  }

  /** Throws internal if a rule of the structure is broken. */
  void check_invariants() const;

 private:
  std::map<TreeKey, std::unique_ptr<KvSegment>> roots_;
  int n_segments_ = 0;
};

/** Addresses of all slabs of a context, root first. */
std::vector<uint32_t> context_slabs(const KvSegment* leaf);

}  // namespace cachalot
