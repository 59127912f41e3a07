// Where keys and values live: one mapped region, cut into runs. A run holds the blocks of all
// layers and KV heads for 32 consecutive tokens. A freed run is reused first while it is warm;
// beyond a reserve its memory goes back to the system.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.h"

namespace cachalot {

/** What a KV pool stores per token. */
struct KvShape {
  KvFormat format;
  int n_layers, n_kv_heads, head_dim;
};

class KvPool {
 public:
  /** Reserves `bytes` (at least one run) of the backend's memory; pages are committed on first use.
   */
  KvPool(Backend& backend, const KvShape& shape, size_t bytes);

  /** The address of a free run, or nothing when the pool is full. */
  std::optional<uint32_t> take();
  void give(uint32_t run);
  /** Tests: from now on a run that is given back is filled with NaN, so that whoever still reads it
   * shows. The memory must be the host's. */
  void poison_freed_runs() { poisons_ = true; }
  /** Those that have been taken and given back. */
  std::vector<uint32_t> free_runs() const;

  const KvStore& store() const { return store_; }
  size_t run_bytes() const { return run_bytes_; }
  int n_runs() const { return n_runs_; }
  int n_free() const { return n_runs_ - n_taken_; }
  size_t bytes_in_use() const { return static_cast<size_t>(n_taken_) * run_bytes_; }

 private:
  uint32_t address(int index) const {
    return static_cast<uint32_t>(static_cast<size_t>(index) * run_units_);
  }

  std::unique_ptr<Buffer> buffer_;
  KvStore store_{};
  size_t run_units_, run_bytes_;
  int n_runs_;
  int n_taken_ = 0;
  bool poisons_ = false;
  int n_touched_ = 0;           // runs [0, n_touched_) have been taken at least once
  std::vector<uint32_t> warm_;  // free, memory committed; last freed first
  std::vector<uint32_t> cold_;  // free, memory given back
};

}  // namespace cachalot
