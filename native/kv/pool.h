// The memory of keys and values: one mapped region, cut into slabs. A slab holds the blocks of all
// layers and KV heads for 32 consecutive tokens, one class of layers after the other. A slab that
// was freed last is allocated first, because its pages are warm; beyond a reserve, memory of free
// slabs goes back to the system.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backend/backend.h"

namespace cachalot {

/** Layers whose KV has one shape. */
struct KvShape {
  KvLayout layout;
  int n_layers, n_kv_heads;
};

/** Bytes of a slab: the KV of 32 tokens. */
size_t slab_bytes_of(std::span<const KvShape> classes);

class KvPool {
 public:
  /** Reserves `bytes` (at least one slab) of the backend's memory; pages are committed on first
   * use. `classes`: of the model's layers. */
  KvPool(Backend& backend, std::span<const KvShape> classes, size_t bytes);

  /** The address of a free slab, or nothing when the pool is full. */
  std::optional<uint32_t> allocate();
  void free(uint32_t slab);
  /** For tests: from now on a slab that is freed is filled with NaN, so that reads of freed memory
   * show. The memory must be the host's. */
  void poison_freed_slabs() { poisons_ = true; }
  /** Slabs that have been allocated and freed again. */
  std::vector<uint32_t> free_slabs() const;

  /** Where each class of layers has its blocks. */
  std::span<const KvStore> stores() const { return stores_; }
  /** How blocks of edited parts are addressed: from the beginning of the memory, for each class. */
  std::span<const KvStore> edited_stores() const { return edited_stores_; }
  size_t slab_bytes() const { return slab_bytes_; }
  size_t bytes() const { return static_cast<size_t>(n_slabs_) * slab_bytes_; }
  size_t bytes_in_use() const { return static_cast<size_t>(n_allocated_) * slab_bytes_; }
  bool is_full() const { return n_allocated_ == n_slabs_; }

 private:
  uint32_t address(int index) const {
    return static_cast<uint32_t>(static_cast<size_t>(index) * (slab_bytes_ / kKvAddressUnit));
  }

  std::unique_ptr<Buffer> buffer_;
  std::vector<KvStore> stores_, edited_stores_;
  size_t slab_bytes_;
  int n_slabs_;
  int n_allocated_ = 0;
  bool poisons_ = false;
  int n_touched_ = 0;           // slabs [0, n_touched_) have been allocated at least once
  std::vector<uint32_t> warm_;  // free, memory committed; last freed first
  std::vector<uint32_t> cold_;  // free, memory given back
};

}  // namespace cachalot
