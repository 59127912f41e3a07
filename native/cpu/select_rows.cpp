#include <cstring>

#include "cpu/ops.h"

namespace cachalot::cpu {

void select_rows(const OpContext& context, const SelectRowsParams& params) {
  const int64_t width = params.width;
  float* out = params.out;
  for (const int32_t row : context.step.output_rows) {
    std::memcpy(out, params.from + row * width, static_cast<size_t>(width) * sizeof(float));
    out += width;
  }
}

}  // namespace cachalot::cpu
