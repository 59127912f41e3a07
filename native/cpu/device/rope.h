// Rotary position embedding (RoFormer, Su et al. 2021), plain: each path compiles its own.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu {

static inline void rotate_plain(const Rotation& rotation, const float* x, float* out) {
  const int half = rotation.half;
  const int distance = rotation.interleaved ? 1 : half, stride = rotation.interleaved ? 2 : 1;
  for (int i = 0; i < half; i++) {
    const float a = x[i * stride], b = x[i * stride + distance];
    out[i * stride] = a * rotation.cosines[i] - b * rotation.sines[i];
    out[i * stride + distance] = a * rotation.sines[i] + b * rotation.cosines[i];
  }
  for (int i = 2 * half; i < rotation.head_dim; i++) out[i] = x[i];
}

}  // namespace cachalot::cpu
