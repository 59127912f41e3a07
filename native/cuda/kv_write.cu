// Rotates new keys, rounds K and V to bf16 and puts them into their slots. One block of threads per
// target of the step and KV head; that of slot 0 clears the rest of its block first, so absent keys
// are zeros - but not the slots that other rows of this step write at the same time.

#include "cuda/device/kv_block.h"
#include "cuda/device/prepared.h"
#include "cuda/device/rope.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 128;

/** How many targets from this one on are the slots after its own, in the same block. */
SIMT_DEV int n_of_block(const KvWriteArgs& args, const KvTarget* targets, int i) {
  int n = 1;
  while (i + n < args.n_targets && targets[i + n].slab == targets[i].slab &&
         targets[i + n].slot == targets[i].slot + n)
    n++;
  return n;
}

__global__ void __launch_bounds__(kThreads) kv_write_kernel(KvWriteArgs args) {
  const int index = blockIdx.x, head = blockIdx.y;
  const int head_dim = args.store.layout.head_dim;
  const KvTarget* targets = args.step->targets;
  const KvTarget target = targets[index];
  auto* keys = reinterpret_cast<uint16_t*>(kv_block(args.store, target.slab, args.layer, head));
  uint16_t* values = keys + kTileTokens * head_dim;
  const int64_t at = (static_cast<int64_t>(target.row) * args.store.n_kv_heads + head) * head_dim;
  for (int d = threadIdx.x; d < head_dim; d += kThreads) {
    keys[key_element(target.slot, d)] =
        bf16_bits(rotated(args.rope, args.k + at, d, target.position));
    values[value_element(target.slot, d)] = bf16_bits(args.v[at + d]);
  }
  if (target.slot != 0) return;
  const int first = n_of_block(args, targets, index);
  for (int i = threadIdx.x; i < (kTileTokens - first) * head_dim; i += kThreads) {
    const int slot = first + i / head_dim, d = i % head_dim;
    keys[key_element(slot, d)] = 0;
    values[value_element(slot, d)] = 0;
  }
}

}  // namespace

void kv_write(const LaunchContext& context, const KvWriteArgs& args) {
  simt::launch(kv_write_kernel, dim3(args.n_targets, args.store.n_kv_heads), dim3(kThreads), 0,
               context.stream, args);
}

}  // namespace cachalot::cuda
