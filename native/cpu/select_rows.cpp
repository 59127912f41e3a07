#include <cstring>

#include "cpu/ops.h"

namespace cachalot::cpu {

void select_rows(const OpContext&, const SelectRowsParams& params) {
  const int64_t width = params.width;
  for (int32_t i = 0; i < params.n_rows; i++)
    std::memcpy(params.out + i * width, params.from + params.rows[i] * width,
                static_cast<size_t>(width) * sizeof(float));
}

}  // namespace cachalot::cpu
