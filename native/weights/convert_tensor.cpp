#include "weights/convert_tensor.h"

#include <cmath>

#include "backend/block_codes.h"
#include "backend/dtype.h"
#include "base/error.h"
#include "base/half.h"

namespace cachalot {

namespace {

constexpr int kQ8Block = 32;

/** Whether the type has a finite number near each of these. */
bool holds(DType to, const std::vector<float>& values) {
  constexpr float kMostF16 = 65519.0f;  // more would round to infinity
  constexpr float kMostBf16 = 3.39e38f;
  float most = 0;
  for (const float value : values) {
    if (std::isnan(value)) return false;
    most = std::fmax(most, std::fabs(value));
  }
  switch (to) {
    case DType::kF16: return most <= kMostF16;
    case DType::kBF16: return most <= kMostBf16;
    case DType::kQ8_0: return most / 127 <= kMostF16;
    default: return true;
  }
}

/** d = largest magnitude / 127; codes are w / d, rounded. */
void encode_q8_0(const float* values, uint8_t* block) {
  float most = 0;
  for (int i = 0; i < kQ8Block; i++) most = std::fmax(most, std::fabs(values[i]));
  const float d = most / 127;
  const uint16_t half = f32_to_f16(d);
  std::memcpy(block, &half, sizeof half);
  for (int i = 0; i < kQ8Block; i++) {
    const float code = d == 0 ? 0 : std::round(values[i] / d);
    block[sizeof half + static_cast<size_t>(i)] = static_cast<uint8_t>(static_cast<int8_t>(code));
  }
}

void encode_row(const std::vector<float>& values, DType to, uint8_t* out) {
  const size_t n = values.size();
  switch (to) {
    case DType::kF32: std::memcpy(out, values.data(), n * sizeof(float)); return;
    case DType::kQ8_0: {
      const size_t block_bytes = dtype_info(to).block_bytes;
      for (size_t i = 0; i < n; i += kQ8Block)
        encode_q8_0(&values[i], out + i / kQ8Block * block_bytes);
      return;
    }
    default:
      for (size_t i = 0; i < n; i++) {
        const uint16_t half = to == DType::kF16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
        std::memcpy(out + 2 * i, &half, sizeof half);
      }
  }
}

}  // namespace

std::vector<uint8_t> convert_tensor(const StoredTensor& stored, DType to) {
  const int64_t n_rows = stored.tensor.n_rows, n_cols = stored.tensor.n_cols;
  const DTypeInfo& info = dtype_info(to);
  if ((!is_float(to) && to != DType::kQ8_0) || n_cols % info.block_size != 0)
    throw Error(ErrorCode::kUnsupportedType,
                "tensor '" + stored.name + "' with rows of " + std::to_string(n_cols) +
                    " cannot become " + info.name +
                    "; F32, F16, BF16, and for rows of whole blocks of 32 Q8_0 are supported");
  std::vector<uint8_t> bytes(stored.bytes());
  stored.read(bytes);
  const size_t from_row = bytes.size() / static_cast<size_t>(n_rows);
  const size_t to_row = static_cast<size_t>(n_cols) / info.block_size * info.block_bytes;
  std::vector<uint8_t> out(to_row * static_cast<size_t>(n_rows));
  std::vector<float> values(static_cast<size_t>(n_cols));
  for (size_t row = 0; row < static_cast<size_t>(n_rows); row++) {
    dequantize_row(stored.tensor.dtype, &bytes[row * from_row], n_cols, values.data());
    if (to != stored.tensor.dtype && !holds(to, values))
      throw Error(ErrorCode::kNotANumber, "row " + std::to_string(row) + " of tensor '" +
                                              stored.name + "' has a number that " + info.name +
                                              " cannot hold");
    encode_row(values, to, &out[row * to_row]);
  }
  return out;
}

}  // namespace cachalot
