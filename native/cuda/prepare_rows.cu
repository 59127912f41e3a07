// Rows for `linear` that no other kernel has made ready; see device/prepared.h.

#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;

__global__ void __launch_bounds__(kThreads) prepare_rows_kernel(PrepareRowsArgs args) {
  const int block = blockIdx.x * kWarps + threadIdx.x / 32;
  const int64_t row = blockIdx.y;
  if (block >= blocks_of(args.prepared, args.width)) return;
  const int i = block * 32 + threadIdx.x % 32;
  store_prepared(args.prepared, row, block, i < args.width ? args.x[row * args.width + i] : 0.0f);
}

}  // namespace

void prepare_rows(const LaunchContext& context, const PrepareRowsArgs& args) {
  const int n_blocks = blocks_of(args.prepared, args.width);
  simt::launch(prepare_rows_kernel, dim3((n_blocks + kWarps - 1) / kWarps, args.n_rows),
               dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
