// 2^x by range reduction and a polynomial; relative error below 2e-7. Every path uses these
// coefficients, so that a vector and its tail never use different exponentials.
#pragma once

#include "base/half.h"

namespace cachalot::cpu {

// 1 + f (C1 + f (C2 + ...)): the polynomial of degree 5 nearest 2^f on [-1/2, 1/2] that is exact at
// 0 (weighted least squares, reweighted until the relative error is even: 9.2e-8; in f32 1.7e-7).
constexpr float kExp2C1 = 6.9314700365e-1f, kExp2C2 = 2.4022242427e-1f, kExp2C3 = 5.5507335812e-2f,
                kExp2C4 = 9.6715129912e-3f, kExp2C5 = 1.3264723821e-3f;
// Below this the result is zero (the smallest normal is 2^-126; we do not make denormals).
constexpr float kExp2Min = -126.0f;

/** 2^x for x <= 127; 0 below -126. */
static inline float exp2_f32(float x) {
  const float clamped = x < kExp2Min ? kExp2Min : x;
  // Adding 1.5 * 2^23 rounds to nearest even in the low mantissa bits.
  const float shifted = clamped + 12582912.0f;
  const int32_t exponent = static_cast<int32_t>(bits_from_float(shifted)) - 0x4b400000;
  const float f = clamped - (shifted - 12582912.0f);
  float p = kExp2C5;
  p = p * f + kExp2C4;
  p = p * f + kExp2C3;
  p = p * f + kExp2C2;
  p = p * f + kExp2C1;
  p = p * f + 1.0f;
  const float scale = float_from_bits(static_cast<uint32_t>(exponent + 127) << 23);
  return x < kExp2Min ? 0.0f : p * scale;
}

}  // namespace cachalot::cpu
