// out = silu(gate) * up = gate / (1 + e^-gate) * up. A warp takes 32 values of a row at a time.

#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;

__global__ void __launch_bounds__(kThreads) silu_mul_kernel(SiluMulArgs args) {
  const int lane = threadIdx.x % 32;
  const int block = blockIdx.x * kWarps + threadIdx.x / 32;
  const int64_t row = blockIdx.y;
  if (block >= blocks_of(args.prepared, args.width)) return;
  const int i = block * 32 + lane;
  float value = 0;
  if (i < args.width) {
    const int64_t at = row * args.width + i;
    const float gate = args.gate[at];
    value = gate / (1.0f + exp2f(-gate * kLog2E)) * args.up[at];
    args.out[at] = value;
  }
  store_prepared(args.prepared, row, block, value);
}

}  // namespace

void silu_mul(const LaunchContext& context, const SiluMulArgs& args) {
  const int n_blocks = blocks_of(args.prepared, args.width);
  simt::launch(silu_mul_kernel, dim3((n_blocks + kWarps - 1) / kWarps, args.n_rows), dim3(kThreads),
               0, context.stream, args);
}

}  // namespace cachalot::cuda
