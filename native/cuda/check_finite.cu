// out[r] = whether all of x[r] + delta[r] is finite: one block per row.

#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) check_finite_kernel(CheckFiniteArgs args) {
  SIMT_SHARED(int, n_bad);
  if (threadIdx.x == 0) n_bad = 0;
  __syncthreads();
  const int64_t row = blockIdx.x;
  bool finite = true;
  for (int i = threadIdx.x; i < args.width; i += kThreads) {
    const float sum = args.x[row * args.width + i] + args.delta[row * args.width + i];
    finite = finite && fabsf(sum) < INFINITY;
  }
  if (!finite) atomicAdd(&n_bad, 1);
  __syncthreads();
  if (threadIdx.x == 0) args.out[row] = n_bad == 0;
}

}  // namespace

void check_finite(const LaunchContext& context, const CheckFiniteArgs& args) {
  simt::launch(check_finite_kernel, dim3(args.n_rows), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
