// Copies single keys and their values into the blocks of an edited part. One block of threads per
// key; that of slot 0 clears the slots that no other one fills.

#include "cuda/device/kv_block.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 128;

/** How many moves from this one on go into the same block. */
SIMT_DEV int moves_of_block(const KvGatherArgs& args, int first) {
  int n = 1;
  while (first + n < args.n_moves && args.moves[first + n].slot == n) n++;
  return n;
}

__global__ void __launch_bounds__(kThreads) kv_gather_kernel(KvGatherArgs args) {
  const KvMove move = args.moves[blockIdx.x];
  const int head_dim = args.edited.layout.head_dim, n_keys = kTileTokens * head_dim;
  const auto* from = reinterpret_cast<const uint16_t*>(
      kv_block(move.from.is_edited ? args.edited : args.plain, move.from.block));
  auto* to = reinterpret_cast<uint16_t*>(kv_block(args.edited, move.to));
  auto* notes = reinterpret_cast<KeyNotes*>(to + 2 * n_keys);
  for (int d = threadIdx.x; d < head_dim; d += kThreads) {
    to[key_element(move.slot, d)] = from[key_element(move.from.slot, d)];
    to[n_keys + value_element(move.slot, d)] = from[n_keys + value_element(move.from.slot, d)];
  }
  if (threadIdx.x == 0) {
    notes->index[move.slot] = move.index;
    notes->weight[move.slot] = move.weight;
  }
  if (move.slot != 0) return;
  const int first = moves_of_block(args, static_cast<int>(blockIdx.x));
  for (int i = threadIdx.x; i < (kTileTokens - first) * head_dim; i += kThreads) {
    const int slot = first + i / head_dim, d = i % head_dim;
    to[key_element(slot, d)] = 0;
    to[n_keys + value_element(slot, d)] = 0;
  }
  for (int slot = first + threadIdx.x; slot < kTileTokens; slot += kThreads) {
    notes->index[slot] = 0;
    notes->weight[slot] = 0.0f;
  }
}

}  // namespace

void kv_gather(const LaunchContext& context, const KvGatherArgs& args) {
  simt::launch(kv_gather_kernel, dim3(args.n_moves), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
