#include "cpu/ops.h"

namespace cachalot::cpu {

void rms_norm(const OpContext& context, const RmsNormParams& params) {
  context.pool.parallel_for(params.n_rows, [&](int row, int) {
    const int64_t at = int64_t{row} * params.width;
    const float* delta = params.delta == nullptr ? nullptr : params.delta + at;
    context.kernels.rms_norm(params.x + at, delta, params.weight, params.epsilon, params.width,
                             params.out + at);
  });
}

}  // namespace cachalot::cpu
