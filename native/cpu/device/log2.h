// log2 of positive normal numbers, the same on every path; absolute error below 1e-7.
#pragma once

#include <stdint.h>

#include "base/half.h"

namespace cachalot::cpu {

/** log2 x for a normal x > 0. With x = 2^e m, m in [0.71, 1.42), and t = (m - 1) / (m + 1):
 * log2 m = 2 / ln 2 (t + t^3 / 3 + t^5 / 5 + ...), in double. */
static inline float log2_f32(float x) {
  const uint32_t bits = bits_from_float(x);
  // Moves the border between exponents from 2 to 1.42, so that m lies around 1.
  const uint32_t shifted = bits + (0x3f800000 - 0x3f350000);
  const int32_t exponent = static_cast<int32_t>(shifted >> 23) - 127;
  const double m = float_from_bits(bits - (static_cast<uint32_t>(exponent) << 23));
  const double t = (m - 1) / (m + 1), square = t * t;
  double series = 0;
  for (int k = 13; k > 0; k -= 2) series = series * square + 1.0 / k;
  return static_cast<float>(exponent + 2.8853900817779268 * t * series);
}

}  // namespace cachalot::cpu
