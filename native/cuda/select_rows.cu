// out[i] = from[output_rows[i]]: one block per row. [n, width]

#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) select_rows_kernel(SelectRowsArgs args) {
  const int64_t from = args.step->output_rows[blockIdx.x];
  const int64_t to = blockIdx.x;
  for (int i = threadIdx.x; i < args.width; i += kThreads)
    args.out[to * args.width + i] = args.from[from * args.width + i];
}

}  // namespace

void select_rows(const LaunchContext& context, const SelectRowsArgs& args) {
  simt::launch(select_rows_kernel, dim3(args.n_rows), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
