// Rotates the queries of some rows and puts them where they are kept. One block of threads per row
// and head.

#include "cuda/device/rope.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kThreads) keep_queries_kernel(KeepQueriesArgs args) {
  const KeptRow kept = args.step->kept_rows[blockIdx.x];
  const int64_t head = blockIdx.y;
  const float* q = args.q + (kept.row * static_cast<int64_t>(args.n_heads) + head) * args.head_dim;
  float* to = kept.to + args.layer * kept.layer_stride + head * args.head_dim;
  for (int d = threadIdx.x; d < args.head_dim; d += kThreads)
    to[d] = rotated(args.rope, q, d, kept.position);
}

}  // namespace

void keep_queries(const LaunchContext& context, const KeepQueriesArgs& args) {
  simt::launch(keep_queries_kernel, dim3(args.n_kept, args.n_heads), dim3(kThreads), 0,
               context.stream, args);
}

}  // namespace cachalot::cuda
