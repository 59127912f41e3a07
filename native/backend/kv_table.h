// Where keys and values lie, and the one place that knows the address of a block. C headers only:
// kernels of CUDA include it.
#pragma once

#include <stdint.h>

#include "backend/kv_layout.h"

namespace cachalot {

/** The blocks of one class of layers in the pool's memory. A slab holds the blocks of all layers
 * and KV heads for 32 tokens. Those of a class lie together, layer-major. A slab's address counts
 * units from its class's `base`, and is the same for every class. */
struct KvStore {
  uint8_t* base;
  KvLayout layout;
  int32_t n_layers;    // L, of the class
  int32_t n_kv_heads;  // G
};

/** Where the blocks of some consecutive tokens lie: one slab for every 32 of them. Their addresses
 * are a range of the step's list of slabs, from `first_slab` on. */
struct KvTable {
  KvStore store;
  uint32_t first_slab;
  uint32_t unused = 0;  // no padding: records are compared and copied as bytes
};

/** The block of a layer (of the store's class) and KV head in a slab. */
static constexpr uint8_t* kv_block(const KvStore& store, uint32_t slab, int layer, int head) {
  const uint64_t block = static_cast<uint64_t>(layer) * static_cast<uint64_t>(store.n_kv_heads) +
                         static_cast<uint64_t>(head);
  return store.base + (slab + block * store.layout.block_units) * kKvAddressUnit;
}

/** The block of a tile of the table. `slabs`: the step's list. */
static constexpr uint8_t* kv_block(const KvTable& table, const uint32_t* slabs, int tile, int layer,
                                   int head) {
  return kv_block(table.store, slabs[table.first_slab + static_cast<uint32_t>(tile)], layer, head);
}

}  // namespace cachalot
