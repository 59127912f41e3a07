// Rotates new keys, encodes K and V and puts them into their slots.

#include <cstring>
#include <vector>

#include "cpu/device/kv_block.h"
#include "cpu/ops.h"
#include "cpu/rotation.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kSmallest = 16;  // keys of a head that are worth handing over

void write_token(const OpContext& context, const KvWriteParams& params, const KvTarget& target,
                 int head, const float* k, const float* v, float* rotated) {
  const KvLayout& layout = params.store.layout;
  uint8_t* block = kv_block(params.store, target.slab, params.layer, head);
  if (target.slot == 0) std::memset(block, 0, kv_block_bytes(layout));
  const Rotation rotation = rotation_at(params.rope, target.position, layout.head_dim);
  context.kernels.rotate(&rotation, k, rotated);
  uint8_t* values = block + kv_value_offset(layout);
  for (int d = 0; d < layout.head_dim; d++) {
    store_element(layout.k, block, key_index(layout, target.slot, d), rotated[d]);
    store_element(layout.v, values, value_index(layout, target.slot, d), v[d]);
  }
}

/** Cuts the targets into about n_pieces pieces, where one's block differs from the one before. */
std::vector<int> cut_targets(std::span<const KvTarget> targets, int n_pieces) {
  const auto n = static_cast<int>(targets.size());
  std::vector<int> cuts{0};
  for (int i = 1; i < n; i++) {
    const bool other_block =
        targets[static_cast<size_t>(i)].slab != targets[static_cast<size_t>(i) - 1].slab;
    if (other_block && i - cuts.back() >= (n + n_pieces - 1) / n_pieces) cuts.push_back(i);
  }
  cuts.push_back(n);
  return cuts;
}

}  // namespace

// One thread writes all targets of a head that share a block: slot 0 clears it.
void kv_write(const OpContext& context, const KvWriteParams& params) {
  const KvStore& store = params.store;
  const auto targets = context.step.targets;
  if (targets.empty()) return;
  const int heads = store.n_kv_heads;
  const auto cuts = cut_targets(targets, (4 * context.pool.size() + heads - 1) / heads);
  const int n_cuts = static_cast<int>(cuts.size()) - 1;
  const int64_t per_piece = static_cast<int64_t>(targets.size()) / n_cuts + 1;
  const auto write = [&](int64_t first, int64_t end, int) {
    float rotated[1024];
    for (int64_t piece = first; piece < end; piece++) {
      const auto head = static_cast<int>(piece % heads);
      const auto cut = static_cast<size_t>(piece / heads);
      for (int i = cuts[cut]; i < cuts[cut + 1]; i++) {
        const KvTarget& target = targets[static_cast<size_t>(i)];
        const int64_t at = (int64_t{target.row} * heads + head) * store.layout.head_dim;
        write_token(context, params, target, head, params.k + at, params.v + at, rotated);
      }
    }
  };
  context.pool.parallel_ranges(int64_t{heads} * n_cuts, kSmallest / per_piece + 1, write);
}

}  // namespace cachalot::cpu
