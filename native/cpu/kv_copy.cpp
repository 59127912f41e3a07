// Copies some tokens of a slab into a fresh one: this is the cost of a fork inside a block, or of a
// part of a context that begins or ends there.

#include <cstring>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

void clear_slot(const KvLayout& layout, int slot, uint8_t* block) {
  uint8_t* values = block + kv_value_offset(layout);
  for (int d = 0; d < layout.head_dim; d++) {
    store_element(layout.k, block, key_index(layout, slot, d), 0.0f);
    store_element(layout.v, values, value_index(layout, slot, d), 0.0f);
  }
}

void copy_block(const KvLayout& layout, const KvCopy& copy, const uint8_t* from, uint8_t* to) {
  if (from == to) {
    for (int slot = 0; slot < kTileTokens; slot++)
      if (slot < copy.first_slot || slot >= copy.end_slot) clear_slot(layout, slot, to);
    return;
  }
  std::memset(to, 0, kv_block_bytes(layout));
  const size_t values = kv_value_offset(layout);
  for (int slot = copy.first_slot; slot < copy.end_slot; slot++) {
    for (int d = 0; d < layout.head_dim; d++) {
      const int key = key_index(layout, slot, d), value = value_index(layout, slot, d);
      copy_element(layout.k, from, key, to, key);
      copy_element(layout.v, from + values, value, to + values, value);
    }
  }
}

}  // namespace

void kv_copy(const OpContext& context, const KvCopyParams& params) {
  for (const KvCopy& copy : params.copies) {
    for (const KvStore& store : params.stores) {
      context.pool.parallel_for(store.n_layers, [&](int layer, int) {
        for (int head = 0; head < store.n_kv_heads; head++)
          copy_block(store.layout, copy, kv_block(store, copy.from, layer, head),
                     kv_block(store, copy.to, layer, head));
      });
    }
  }
}

}  // namespace cachalot::cpu
