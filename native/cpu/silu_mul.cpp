#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kSmallest = 4096;  // values that are worth handing over

}  // namespace

void silu_mul(const OpContext& context, const SiluMulParams& params) {
  const int64_t n = int64_t{params.n_rows} * params.width;
  context.pool.parallel_ranges(n, kSmallest, [&](int64_t at, int64_t end, int) {
    context.kernels.silu_mul(params.gate + at, params.up + at, end - at, params.out + at);
  });
}

}  // namespace cachalot::cpu
