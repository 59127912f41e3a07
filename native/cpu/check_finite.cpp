#include "cpu/ops.h"

namespace cachalot::cpu {

void check_finite(const OpContext& context, const CheckFiniteParams& params) {
  context.pool.parallel_for(params.n_rows, [&](int row, int) {
    const int64_t at = int64_t{row} * params.width;
    params.out[row] = context.kernels.is_finite(params.x + at, params.delta + at, params.width);
  });
}

}  // namespace cachalot::cpu
