#include "backend/block_codes.h"
#include "base/check.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

void gather_rows(const OpContext& context, const GatherRowsParams& params) {
  const Tensor& table = static_cast<const CpuTable*>(params.table)->tensor();
  const auto tokens = context.step.tokens;
  context.pool.parallel_ranges(static_cast<int64_t>(tokens.size()), 4,
                               [&](int64_t first, int64_t end, int) {
                                 for (int64_t row = first; row < end; row++) {
                                   const int64_t id = tokens[static_cast<size_t>(row)];
                                   dequantize_row(table.dtype, table.data + id * table.row_bytes(),
                                                  table.n_cols, params.out + row * table.n_cols);
                                 }
                               });
}

}  // namespace cachalot::cpu
