// Where keys and values lie, and the one place that knows the address of a block. C headers only:
// kernels of CUDA include it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/arithmetic.h"
#include "backend/number_formats.h"

namespace cachalot {

constexpr size_t kKvAddressUnit = 64;  // bytes; 32-bit addresses then reach 256 GiB

/** The shape of KV blocks, and where they are. A block holds 32 tokens of one (layer, KV head): K,
 * then V, in a layout that only the backend knows. A slab holds the L x G blocks of 32 tokens,
 * layer-major; its address counts units from `base`. */
struct KvStore {
  uint8_t* base;
  KvFormat format;
  int32_t n_layers;      // L
  int32_t n_kv_heads;    // G
  int32_t head_dim;      // D
  uint32_t block_units;  // size of a block in address units
  int32_t unused = 0;    // no padding: launches are compared as bytes
};

/** Size in address units of one block: 32 tokens of K and V of one (layer, KV head). */
static constexpr uint32_t kv_block_units(KvFormat format, int head_dim) {
  const size_t bytes = 2 * static_cast<size_t>(kTileTokens) * static_cast<size_t>(head_dim) *
                       kv_element_bytes(format);
  return static_cast<uint32_t>((bytes + kKvAddressUnit - 1) / kKvAddressUnit);
}

static constexpr uint8_t* kv_block(const KvStore& store, uint32_t slab, int layer, int head) {
  const uint64_t block = static_cast<uint64_t>(layer) * static_cast<uint64_t>(store.n_kv_heads) +
                         static_cast<uint64_t>(head);
  return store.base + (slab + block * store.block_units) * kKvAddressUnit;
}

}  // namespace cachalot
