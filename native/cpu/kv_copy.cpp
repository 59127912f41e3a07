// Copies some tokens of a slab into a fresh one: this is the cost of a fork inside a block, or of a
// part of a context that begins or ends there.

#include <cstdint>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

/** Words of keys, each a slot's: one dim in f32, two dims in bf16. */
void copy_keys(const KvLayout& layout, const KvCopy& copy, const uint32_t* from, uint32_t* to) {
  uint32_t masks[kTileTokens];
  for (int slot = 0; slot < kTileTokens; slot++)
    masks[slot] = slot >= copy.first_slot && slot < copy.end_slot ? ~uint32_t{0} : 0;
  const int n_rows = layout.k == KvFormat::kF32 ? layout.head_dim : layout.head_dim / 2;
  for (int row = 0; row < n_rows; row++) {
    for (int slot = 0; slot < kTileTokens; slot++)
      to[row * kTileTokens + slot] = from[row * kTileTokens + slot] & masks[slot];
  }
}

/** Words of values, each a dim's: of one slot in f32, of two slots in bf16. */
void copy_values(const KvLayout& layout, const KvCopy& copy, const uint32_t* from, uint32_t* to) {
  const int slots = layout.v == KvFormat::kF32 ? 1 : 2;
  for (int row = 0; row < kTileTokens / slots; row++) {
    uint32_t mask = 0;
    for (int slot = row * slots; slot < (row + 1) * slots; slot++) {
      const uint32_t one = slots == 1 ? ~uint32_t{0} : uint32_t{0xffff} << 16 * (slot % 2);
      if (slot >= copy.first_slot && slot < copy.end_slot) mask |= one;
    }
    for (int d = 0; d < layout.head_dim; d++)
      to[row * layout.head_dim + d] = from[row * layout.head_dim + d] & mask;
  }
}

/** They may be one block. */
void copy_block(const KvLayout& layout, const KvCopy& copy, const uint8_t* from, uint8_t* to) {
  const size_t values = kv_value_offset(layout);
  copy_keys(layout, copy, reinterpret_cast<const uint32_t*>(from), reinterpret_cast<uint32_t*>(to));
  copy_values(layout, copy, reinterpret_cast<const uint32_t*>(from + values),
              reinterpret_cast<uint32_t*>(to + values));
}

}  // namespace

void kv_copy(const OpContext& context, const KvCopyParams& params) {
  const auto n_copies = static_cast<int>(params.copies.size());
  for (const KvStore& store : params.stores) {
    context.pool.parallel_for(n_copies * store.n_layers, [&](int index, int) {
      const KvCopy& copy = params.copies[static_cast<size_t>(index / store.n_layers)];
      const int layer = index % store.n_layers;
      for (int head = 0; head < store.n_kv_heads; head++)
        copy_block(store.layout, copy, kv_block(store, copy.from, layer, head),
                   kv_block(store, copy.to, layer, head));
    });
  }
}

}  // namespace cachalot::cpu
