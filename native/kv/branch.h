// Another way in which an open text may go on: it shares all slabs with the text but the last ones,
// and writes in slabs of its own. So every key lies at the tile and slot where plain decoding would
// put it, and kernels need no masks for trees.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "kv/context.h"

namespace cachalot {

class Branch {
 public:
  /** A branch with room for n tokens after those of the context, once `copies` have been made;
   * nothing if there are not enough free slabs. */
  static std::optional<Branch> open(KvCache& cache, SlabLists& lists, const Context& context, int n,
                                    std::vector<KvCopy>* copies) {
    Branch branch(cache, lists, context);
    const size_t n_copies = copies->size();
    const size_t n_slabs = slabs_for(context.leaf()->tokens.size() + static_cast<size_t>(n));
    branch.slabs_.reserve(n_slabs - branch.first_own_);
    for (size_t i = branch.first_own_; i < n_slabs; i++) {
      const auto slab = cache.branch(context.leaf(), i, copies);
      if (!slab) {
        copies->resize(n_copies);
        return std::nullopt;
      }
      branch.slabs_.push_back(*slab);
      branch.list_.append(*slab);
    }
    branch.parts_ = context.parts_with(branch.list_, context.n_computed() + n);
    return branch;
  }
  Branch(Branch&& other) noexcept
      : cache_(other.cache_),
        leaf_(other.leaf_),
        first_own_(other.first_own_),
        slabs_(std::exchange(other.slabs_, {})),
        list_(std::move(other.list_)),
        parts_(std::move(other.parts_)) {}
  Branch& operator=(Branch&&) = delete;
  ~Branch() {
    for (const uint32_t slab : slabs_) cache_->give_back(slab);
  }

  /** As PlanSequence wants them. */
  std::span<const ContextPart> parts() const { return parts_; }
  const SlabList& list() const { return list_; }
  /** The address of the slab with token `index` of the context. */
  uint32_t slab_of(int index) const {
    return list_.slabs()[static_cast<size_t>(index / kTileTokens)];
  }

  /** The text goes on here: its leaf takes the slabs. */
  void win() {
    cache_->adopt(leaf_, first_own_, slabs_);
    slabs_.clear();
  }

 private:
  Branch(KvCache& cache, SlabLists& lists, const Context& context)
      : cache_(&cache),
        leaf_(context.leaf()),
        first_own_(leaf_->tokens.size() / kTileTokens),
        list_(lists) {
    const auto above = static_cast<uint32_t>(leaf_->begin / kTileTokens);
    list_.append_first(context.list(), above + static_cast<uint32_t>(first_own_));
  }

  KvCache* cache_;
  KvSegment* leaf_;
  size_t first_own_;  // of the leaf's slabs: from here on the branch has others
  std::vector<uint32_t> slabs_;
  SlabList list_;  // of the whole text
  std::vector<ContextPart> parts_;
};

}  // namespace cachalot
