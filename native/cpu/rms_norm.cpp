#include "cpu/ops.h"
#include "cpu/row_writer.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kSmallest = 4096;  // values that are worth handing over

}  // namespace

void rms_norm(const OpContext& context, const RmsNormParams& params) {
  const RowWriter writer(params);
  const auto rows = [&](int64_t first, int64_t end, int) {
    for (int64_t row = first; row < end; row++) writer.write(context.kernels, row);
  };
  context.pool.parallel_ranges(params.n_rows, kSmallest / params.width + 1, rows);
}

}  // namespace cachalot::cpu
