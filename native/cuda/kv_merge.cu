// Puts the mean of several keys, and of their values, into a slot of an edited block. One block of
// threads per merge.

#include "cuda/device/kv_block.h"
#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) kv_merge_kernel(KvMergeArgs args) {
  const KvMerge merge = args.merges[blockIdx.x];
  const int head_dim = args.edited.layout.head_dim, n_keys = kTileTokens * head_dim;
  auto* to = reinterpret_cast<uint16_t*>(kv_block(args.edited, merge.to));
  for (int d = threadIdx.x; d < head_dim; d += kThreads) {
    float key = 0.0f, value = 0.0f;
    for (int i = 0; i < merge.n_sources; i++) {
      const KvMergeSource source = args.sources[merge.first_source + i];
      const KvPlace& place = source.from;
      const auto* from = reinterpret_cast<const uint16_t*>(
          kv_block(place.is_edited ? args.edited : args.plain, place.block));
      key = fmaf(source.share, bf16_value(from[key_element(place.slot, d)]), key);
      value = fmaf(source.share, bf16_value(from[n_keys + value_element(place.slot, d)]), value);
    }
    to[key_element(merge.slot, d)] = bf16_bits(key);
    to[n_keys + value_element(merge.slot, d)] = bf16_bits(value);
  }
}

}  // namespace

void kv_merge(const LaunchContext& context, const KvMergeArgs& args) {
  simt::launch(kv_merge_kernel, dim3(args.n_merges), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
