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
  int32_t n_layers;     // L, of the class
  int32_t n_kv_heads;   // G
  uint32_t unused = 0;  // no padding: records are compared and copied as bytes
};

/** Where the blocks of some consecutive tokens lie. Their addresses are in the step's list, from
 * entry `first` on: one slab for every 32 tokens.
 *
 * An edited table (the kind of its blocks says so) holds a subset of the tokens, another one for
 * each layer and KV head. Its entries begin with the largest number of keys of any head, then two
 * for each (layer, KV head): how many entries further on the addresses of its blocks begin, and how
 * many keys they hold. */
struct KvTable {
  KvStore store;
  uint32_t first;
  uint32_t unused = 0;
};

static constexpr bool is_edited(const KvTable& table) {
  return table.store.layout.kind == KvBlockKind::kEdited;
}

/** How many entries an edited table has, its blocks' addresses aside. */
static constexpr uint32_t n_edited_entries(const KvStore& store) {
  return 1 + 2 * static_cast<uint32_t>(store.n_layers) * static_cast<uint32_t>(store.n_kv_heads);
}

/** The keys of one layer and KV head of an edited table. */
struct HeadKeys {
  const uint32_t* blocks;  // addresses, one for every 32 keys
  int32_t n_keys;
};

/** The block at an address. */
static constexpr uint8_t* kv_block(const KvStore& store, uint32_t address) {
  return store.base + uint64_t{address} * kKvAddressUnit;
}

/** The block of a layer (of the store's class) and KV head in a slab. */
static constexpr uint8_t* kv_block(const KvStore& store, uint32_t slab, int layer, int head) {
  const uint64_t block = static_cast<uint64_t>(layer) * static_cast<uint64_t>(store.n_kv_heads) +
                         static_cast<uint64_t>(head);
  return store.base + (slab + block * store.layout.block_units) * kKvAddressUnit;
}

/** The keys of a head of an edited table. `list`: the step's. */
static constexpr HeadKeys head_keys(const KvTable& table, const uint32_t* list, int layer,
                                    int head) {
  const uint32_t* entry =
      list + table.first + 1 + 2 * (static_cast<int64_t>(layer) * table.store.n_kv_heads + head);
  return {entry + entry[0], static_cast<int32_t>(entry[1])};
}

/** The block of a tile of a table that is not edited. `slabs`: the step's list. */
static constexpr uint8_t* kv_block(const KvTable& table, const uint32_t* slabs, int tile, int layer,
                                   int head) {
  return kv_block(table.store, slabs[table.first + static_cast<uint32_t>(tile)], layer, head);
}

}  // namespace cachalot
