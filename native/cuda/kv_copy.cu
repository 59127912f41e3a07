// Copies some tokens of a slab into a fresh one and clears the rest: what a fork inside a block
// costs, or a part of a context that begins or ends there. One block of threads per layer, KV
// head and copy.

#include "cuda/device/kv_block.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) kv_copy_kernel(KvCopyArgs args) {
  const int layer = blockIdx.x, head = blockIdx.y, head_dim = args.store.layout.head_dim;
  const KvCopy& copy = args.copies[blockIdx.z];
  const auto* from =
      reinterpret_cast<const uint16_t*>(kv_block(args.store, copy.from, layer, head));
  auto* to = reinterpret_cast<uint16_t*>(kv_block(args.store, copy.to, layer, head));
  const int values = kTileTokens * head_dim;
  for (int i = threadIdx.x; i < values; i += kThreads) {
    const int token = i / head_dim, d = i % head_dim;
    const int key = key_element(token, d), value = values + value_element(token, d);
    const bool in = token >= copy.first_slot && token < copy.end_slot;
    to[key] = in ? from[key] : uint16_t{0};
    to[value] = in ? from[value] : uint16_t{0};
  }
}

}  // namespace

void kv_copy(const LaunchContext& context, const KvCopyArgs& args) {
  simt::launch(kv_copy_kernel, dim3(args.store.n_layers, args.store.n_kv_heads, args.n_copies),
               dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
