// x += delta (if any); out = x / rms(x) * weight. One block per row: a pass that adds and sums the
// squares, in an order that the width alone decides, and a pass that scales what the first cache
// still has. What `linear` will read is written as it wants it, too.

#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;

__global__ void __launch_bounds__(kThreads) rms_norm_kernel(RmsNormArgs args) {
  using Sums = float[kWarps];
  SIMT_SHARED(Sums, sums);
  const int64_t row = blockIdx.x;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float* x = args.x + row * args.width;
  float sum = 0;
  for (int i = threadIdx.x; i < args.width; i += kThreads) {
    float value = x[i];
    if (args.delta != nullptr) {
      value += args.delta[row * args.width + i];
      x[i] = value;
    }
    sum = fmaf(value, value, sum);
  }
  sum = warp_sum(sum);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  float total = 0;
  for (int i = 0; i < kWarps; i++) total += sums[i];
  const float scale = 1.0f / sqrtf(total / static_cast<float>(args.width) + args.epsilon);
  // A lane reads again what it wrote itself: blocks of 32 go to warps in the same turns.
  const int n_blocks = blocks_of(args.prepared, args.width);
  for (int block = warp; block < n_blocks; block += kWarps) {
    const int i = block * 32 + lane;
    float value = 0;
    if (i < args.width) {
      value = x[i] * scale * args.weight[i];
      args.out[row * args.width + i] = value;
    }
    store_prepared(args.prepared, row, block, value);
  }
}

}  // namespace

void rms_norm(const LaunchContext& context, const RmsNormArgs& args) {
  simt::launch(rms_norm_kernel, dim3(args.n_rows), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
