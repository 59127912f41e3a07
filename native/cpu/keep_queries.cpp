// Rotates the queries of some rows and puts them where they are kept.

#include "cpu/ops.h"
#include "cpu/rotation.h"

namespace cachalot::cpu {

void keep_queries(const OpContext& context, const KeepQueriesParams& params) {
  const int64_t width = int64_t{params.n_heads} * params.head_dim;
  for (const KeptRow& kept : context.step.kept_rows) {
    const Rotation rotation = rotation_at(params.rope, kept.position, params.head_dim);
    const float* q = params.q + kept.row * width;
    float* to = kept.to + params.layer * kept.layer_stride;
    for (int64_t at = 0; at < width; at += params.head_dim)
      context.kernels.rotate(&rotation, q + at, to + at);
  }
}

}  // namespace cachalot::cpu
