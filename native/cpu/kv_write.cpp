// Rotates new keys, encodes K and V and puts them into their slots.

#include <cstring>

#include "cpu/device/kv_block.h"
#include "cpu/device/rope.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

void write_token(const KvWriteParams& params, const KvTarget& target, int head, const float* k,
                 const float* v, float* rotated) {
  const KvStore& store = params.store;
  uint8_t* block = kv_block(store, target.run, params.layer, head);
  if (target.slot == 0) std::memset(block, 0, kv_block_bytes(store));
  rotate(params.rope, target.position, k, store.head_dim, rotated);
  uint8_t* values = block + kv_half_bytes(store);
  for (int d = 0; d < store.head_dim; d++) {
    store_element(store, block, key_index(store, target.slot, d), rotated[d]);
    store_element(store, values, value_index(store, target.slot, d), v[d]);
  }
}

}  // namespace

// One thread writes all rows of a head: two rows of a step may share a block, and slot 0 clears it.
void kv_write(const OpContext& context, const KvWriteParams& params) {
  const KvStore& store = params.store;
  const int width = store.n_kv_heads * store.head_dim;
  context.pool.parallel_for(store.n_kv_heads, [&](int head, int) {
    float rotated[1024];
    for (size_t row = 0; row < params.targets.size(); row++) {
      const size_t at =
          row * static_cast<size_t>(width) + static_cast<size_t>(head * store.head_dim);
      write_token(params, params.targets[row], head, params.k + at, params.v + at, rotated);
    }
  });
}

}  // namespace cachalot::cpu
