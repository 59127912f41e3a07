// The keys that an edit has left of a context, in blocks of their own: each layer and KV head has
// as many as it keeps. The blocks are cut one after the other from slabs of the pool, which belong
// to the part alone, so that what is freed leaves no holes (docs/decisions/0025).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "kv/edit.h"
#include "kv/kv_cache.h"

namespace cachalot {

class EditedPart {
 public:
  EditedPart(KvCache& cache, const KvPool& pool) : cache_(cache), pool_(pool) {}
  EditedPart(const EditedPart&) = delete;
  EditedPart& operator=(const EditedPart&) = delete;
  ~EditedPart();

  /** The context that is edited: an edited part or none, then a text. */
  struct Source {
    const EditedPart* before;
    std::span<const uint32_t> slabs;  // of the text
    int first_index, n_text;          // of its tokens, counted from the context's first
  };
  static EditSource notes_of(const Source& source, int n_heads) {
    std::span<const std::vector<KeyNote>> before;
    if (source.before != nullptr) before = source.before->notes_;
    return {n_heads, before, source.first_index, source.n_text};
  }

  /** Copies what an edit keeps. False if there is no memory: then nothing is held. */
  bool make(const Source& source, const KvEdit& edit, Backend& backend);

  /** The entries of its table (backend/kv_table.h), for all classes of layers. */
  std::span<const uint32_t> entries() const { return entries_; }
  /** How many keys a head has. */
  int n_keys(int head) const { return static_cast<int>(notes_[static_cast<size_t>(head)].size()); }
  /** Keys of all heads. */
  int64_t n_keys() const {
    int64_t n = 0;
    for (const auto& of_head : notes_) n += std::ssize(of_head);
    return n;
  }
  /** Bytes of its blocks. */
  uint64_t bytes() const { return bytes_; }
  /** Slabs of the pool that its blocks are in. */
  int n_slabs() const { return static_cast<int>(slabs_.size()); }

  /** The layers and KV heads of all classes. */
  static int n_heads(const KvPool& pool);

 private:
  /** What an edit asks of the device, for one class of layers. */
  struct Moves {
    std::vector<KvMove> moves;
    std::vector<KvMerge> merges;
    std::vector<KvMergeSource> sources;
  };
  /** One (layer, KV head): its class, its block in a slab, and its number among all. */
  struct Head {
    size_t layer_class;
    uint32_t block;
    size_t index;
  };

  std::optional<uint32_t> allocate_block(uint32_t units);
  bool add_head(const Source& source, const Head& head, const HeadEdit& edit, size_t entry,
                Moves* moves);
  void add_key(const Source& source, const Head& head, const HeadEdit& edit, size_t number,
               uint32_t block, std::span<const MergedKey> merged, Moves* moves);
  KvPlace place_of(const Source& source, const Head& head, int key) const;
  void give_back();

  KvCache& cache_;
  const KvPool& pool_;
  std::vector<uint32_t> slabs_;
  uint32_t units_left_ = 0;  // of the last slab
  uint64_t bytes_ = 0;
  bool counts_ = true;  // see KvEdit
  std::vector<uint32_t> entries_;
  std::vector<size_t> head_entries_;         // of each head, in entries_
  std::vector<std::vector<KeyNote>> notes_;  // of each head
};

}  // namespace cachalot
