// Rows made ready for tensor cores, 32 inputs of a row at a time by one warp. A kernel whose result
// only `linear` reads writes it so itself.
#pragma once

#include "backend/arithmetic.h"
#include "cuda/abi.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

static_assert(kQuantBlock == 32, "a warp quantizes a block, an input per lane");

constexpr float kLargestF16 = 65504.0f;

template <class T>
SIMT_DEV T warp_sum(T value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}
SIMT_DEV float warp_max(float value) {
  for (int step = 16; step > 0; step /= 2)
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

/** Quantizes as the CPU does: scale = largest / 127, a NaN makes the scale NaN. */
SIMT_DEV void store_bytes(const PreparedRows& rows, int64_t row, int block, float value) {
  const int lane = threadIdx.x % 32;
  const bool nan = __any_sync(0xffffffffu, value != value);
  const float largest = warp_max(fabsf(value));
  const float inverse = !nan && largest > kLeastLargest ? 127.0f / largest : 0.0f;
  const int code = nan ? 0 : static_cast<int>(rintf(value * inverse));
  int sum = code;
  for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  const int64_t at = row * rows.padded + block * 32;
  rows.codes[at + lane] = static_cast<uint8_t>(code);
  if (lane % 16 == 0) rows.sums[at / 16 + lane / 16] = static_cast<int16_t>(sum);
  if (lane == 0) rows.scales[at / 32] = nan ? NAN : largest / 127.0f;
}

SIMT_DEV uint16_t bf16_bits(float value) {
  return static_cast<uint16_t>(simt::pack2<simt::bf16>(value, 0.0f));
}
SIMT_DEV float bf16_value(uint16_t bits) {
  return simt::int_as_float(static_cast<int>(bits) << 16);
}

SIMT_DEV uint16_t f16_bits(float value) {
  const float cut = value != value ? value : fminf(fmaxf(value, -kLargestF16), kLargestF16);
  return static_cast<uint16_t>(simt::pack2<simt::f16>(cut, 0.0f));
}

/** Called by a whole warp with its lanes' 32 consecutive values of a row; zeros past the row's end.
 */
SIMT_DEV void store_prepared(const PreparedRows& rows, int64_t row, int block, float value) {
  const int lane = threadIdx.x % 32;
  auto* halves = reinterpret_cast<uint16_t*>(rows.codes);
  const int64_t at = row * rows.padded + block * 32 + lane;
  switch (rows.kind) {
    case RowKind::kNone: return;
    case RowKind::kBytes: return store_bytes(rows, row, block, value);
    case RowKind::kBf16: halves[at] = bf16_bits(value); return;
    case RowKind::kF16: halves[at] = f16_bits(value); return;
    case RowKind::kBf16x3: {
      const int third = rows.padded / 3;
      const uint16_t high = bf16_bits(value);
      const uint16_t low = bf16_bits(value - bf16_value(high));
      halves[at] = high;
      halves[at + third] = high;
      halves[at + 2 * third] = low;
    }
  }
}

/** Blocks of 32 that a row has, those included that only fill it up. */
SIMT_BOTH int blocks_of(const PreparedRows& rows, int width) {
  if (rows.kind == RowKind::kNone) return (width + 31) / 32;
  return (rows.kind == RowKind::kBf16x3 ? rows.padded / 3 : rows.padded) / 32;
}

}  // namespace cachalot::cuda
