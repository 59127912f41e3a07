// x += delta (if any); out = x / rms(x) * weight. One block per row, which keeps its share of the
// row in registers between the pass that adds and sums the squares - in an order that the width
// alone decides - and the pass that scales. What `linear` will read is written as it wants it, too.

#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 16, kThreads = 32 * kWarps;
constexpr int kKept =
    16;  // values of a thread in registers: rows of up to 8192; more are read again

__global__ void __launch_bounds__(kThreads, 1) rms_norm_kernel(RmsNormArgs args) {
  using Sums = float[kWarps];
  SIMT_SHARED(Sums, sums);
  const int64_t row = blockIdx.x;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float* x = args.x + row * args.width;
  const float* delta = args.delta == nullptr ? nullptr : args.delta + row * args.width;
  // A warp takes blocks of 32 in turns, and all loads of a row are on their way at once.
  float kept[kKept];
#pragma unroll
  for (int n = 0; n < kKept; n++) {
    const int i = n * kThreads + threadIdx.x;
    kept[n] = i < args.width ? x[i] : 0.0f;
  }
  if (delta != nullptr) {
#pragma unroll
    for (int n = 0; n < kKept; n++) {
      const int i = n * kThreads + threadIdx.x;
      if (i < args.width) kept[n] += delta[i];
    }
  }
  float sum = 0.0f;
#pragma unroll
  for (int n = 0; n < kKept; n++) {
    const int i = n * kThreads + threadIdx.x;
    if (delta != nullptr && i < args.width) x[i] = kept[n];
    sum = fmaf(kept[n], kept[n], sum);
  }
  for (int i = kKept * kThreads + threadIdx.x; i < args.width; i += kThreads) {
    const float value = delta == nullptr ? x[i] : x[i] + delta[i];
    if (delta != nullptr) x[i] = value;
    sum = fmaf(value, value, sum);
  }
  sum = warp_sum(sum);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  float total = 0.0f;
  for (int i = 0; i < kWarps; i++) total += sums[i];
  const float scale = 1.0f / sqrtf(total / static_cast<float>(args.width) + args.epsilon);
  const int n_blocks = blocks_of(args.prepared, args.width);
  const auto store = [&](int block, float value) {
    const int i = block * 32 + lane;
    if (i < args.width) {
      value = value * scale * args.weight[i];
      args.out[row * args.width + i] = value;
    }
    store_prepared(args.prepared, row, block, value);
  };
#pragma unroll
  for (int n = 0; n < kKept; n++)
    if (n * kWarps + warp < n_blocks) store(n * kWarps + warp, kept[n]);
  for (int block = kKept * kWarps + warp; block < n_blocks; block += kWarps)
    store(block, block * 32 + lane < args.width ? x[block * 32 + lane] : 0.0f);
}

}  // namespace

void rms_norm(const LaunchContext& context, const RmsNormArgs& args) {
  simt::launch(rms_norm_kernel, dim3(args.n_rows), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
