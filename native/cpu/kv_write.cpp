// Rotates new keys, encodes K and V and puts them into their slots.

#include <cstring>
#include <vector>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"
#include "cpu/rotation.h"

namespace cachalot::cpu {

namespace {

void write_token(const OpContext& context, const KvWriteParams& params, const KvTarget& target,
                 int head, const float* k, const float* v, float* rotated) {
  const KvStore& store = params.store;
  uint8_t* block = kv_block(store, target.run, params.layer, head);
  if (target.slot == 0) std::memset(block, 0, kv_block_bytes(store));
  const Rotation rotation = rotation_at(params.rope, target.position, store.head_dim);
  context.kernels.rotate(&rotation, k, rotated);
  uint8_t* values = block + kv_half_bytes(store);
  for (int d = 0; d < store.head_dim; d++) {
    store_element(store, block, key_index(store, target.slot, d), rotated[d]);
    store_element(store, values, value_index(store, target.slot, d), v[d]);
  }
}

/** Where rows begin that share no block with those before them: about so many pieces. */
std::vector<int> cut_rows(std::span<const KvTarget> targets, int n_pieces) {
  const auto n_rows = static_cast<int>(targets.size());
  std::vector<int> cuts{0};
  for (int row = 1; row < n_rows; row++) {
    const bool other_block =
        targets[static_cast<size_t>(row)].run != targets[static_cast<size_t>(row) - 1].run;
    if (other_block && row - cuts.back() >= (n_rows + n_pieces - 1) / n_pieces) cuts.push_back(row);
  }
  cuts.push_back(n_rows);
  return cuts;
}

}  // namespace

// One thread writes all rows of a head that share a block: slot 0 clears it.
void kv_write(const OpContext& context, const KvWriteParams& params) {
  const KvStore& store = params.store;
  if (params.targets.empty()) return;
  const int heads = store.n_kv_heads;
  const auto cuts = cut_rows(params.targets, (4 * context.pool.size() + heads - 1) / heads);
  const int n_cuts = static_cast<int>(cuts.size()) - 1;
  context.pool.parallel_for(heads * n_cuts, [&](int piece, int) {
    float rotated[1024];
    const int head = piece % heads;
    const auto cut = static_cast<size_t>(piece / heads);
    for (int row = cuts[cut]; row < cuts[cut + 1]; row++) {
      const int64_t at = (int64_t{row} * heads + head) * store.head_dim;
      write_token(context, params, params.targets[static_cast<size_t>(row)], head, params.k + at,
                  params.v + at, rotated);
    }
  });
}

}  // namespace cachalot::cpu
