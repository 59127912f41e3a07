// Rotary position embedding (RoFormer, Su et al. 2021) of one head at one position.
#pragma once

#include "backend/params.h"

namespace cachalot::cpu {

/** out = x rotated by the angles of `position`; dims past rotated_dims are copied. x and out may be
 * the same. */
inline void rotate(const RopeTable& rope, int position, const float* x, int head_dim, float* out) {
  const int half = rope.rotated_dims / 2;
  const float* cosines = rope.cosines + static_cast<int64_t>(position) * half;
  const float* sines = rope.sines + static_cast<int64_t>(position) * half;
  const int distance = rope.interleaved ? 1 : half, stride = rope.interleaved ? 2 : 1;
  for (int i = 0; i < half; i++) {
    const float a = x[i * stride], b = x[i * stride + distance];
    out[i * stride] = a * cosines[i] - b * sines[i];
    out[i * stride + distance] = a * sines[i] + b * cosines[i];
  }
  for (int i = rope.rotated_dims; i < head_dim; i++) out[i] = x[i];
}

}  // namespace cachalot::cpu
