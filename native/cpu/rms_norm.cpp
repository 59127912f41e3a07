#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kSmallest = 4096;  // values that are worth handing over

}  // namespace

void rms_norm(const OpContext& context, const RmsNormParams& params) {
  const int64_t width = params.width;
  const auto rows = [&](int64_t first, int64_t end, int) {
    for (int64_t at = first * width; at < end * width; at += width) {
      const float* delta = params.delta == nullptr ? nullptr : params.delta + at;
      context.kernels.rms_norm(params.x + at, delta, params.weight, params.epsilon, params.width,
                               params.out + at);
    }
  };
  context.pool.parallel_ranges(params.n_rows, kSmallest / width + 1, rows);
}

}  // namespace cachalot::cpu
