// The memory of keys and values: one mapped region, cut into slabs. A slab holds the blocks of all
// layers and KV heads for 32 consecutive tokens. A slab that was freed last is allocated first,
// because its pages are warm; beyond a reserve, memory of free slabs goes back to the system.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"

namespace cachalot {

/** The shape of the KV that a pool stores per token. */
struct KvShape {
  KvFormat format;
  int n_layers, n_kv_heads, head_dim;
};

class KvPool {
 public:
  /** Reserves `bytes` (at least one slab) of the backend's memory; pages are committed on first
   * use.
   */
  KvPool(Backend& backend, const KvShape& shape, size_t bytes);

  /** The address of a free slab, or nothing when the pool is full. */
  std::optional<uint32_t> allocate();
  void free(uint32_t slab);
  /** For tests: from now on a slab that is freed is filled with NaN, so that reads of freed memory
   * show. The memory must be the host's. */
  void poison_freed_slabs() { poisons_ = true; }
  /** Slabs that have been allocated and freed again. */
  std::vector<uint32_t> free_slabs() const;

  const KvStore& store() const { return store_; }
  size_t slab_bytes() const { return slab_bytes_; }
  int n_slabs() const { return n_slabs_; }
  int n_free() const { return n_slabs_ - n_allocated_; }
  size_t bytes_in_use() const { return static_cast<size_t>(n_allocated_) * slab_bytes_; }

 private:
  uint32_t address(int index) const {
    return static_cast<uint32_t>(static_cast<size_t>(index) * slab_units_);
  }

  std::unique_ptr<Buffer> buffer_;
  KvStore store_{};
  size_t slab_units_, slab_bytes_;
  int n_slabs_;
  int n_allocated_ = 0;
  bool poisons_ = false;
  int n_touched_ = 0;           // slabs [0, n_touched_) have been allocated at least once
  std::vector<uint32_t> warm_;  // free, memory committed; last freed first
  std::vector<uint32_t> cold_;  // free, memory given back
};

}  // namespace cachalot
