// The algebra of split attention: a partial result over some keys is (out, max, sum) with
//   out = sum_i 2^(s_i - max) v_i,  sum = sum_i 2^(s_i - max);  lse2 = max + log2(sum).
// An empty part has max = -inf, sum = 0, out = 0, and is the neutral element on both sides.
#pragma once

#include <math.h>

#include "cpu/device/exp2.h"

namespace cachalot::cpu {

struct AttentionState {
  float* out;  // [D]
  float* max;
  float* sum;

  void clear(int head_dim) const {
    for (int d = 0; d < head_dim; d++) out[d] = 0.0f;
    *max = -INFINITY;
    *sum = 0.0f;
  }

  /** A part whose scores were all NaN is not empty: its sum says so. */
  bool empty() const { return *max == -INFINITY && *sum == 0.0f; }

  /** this = this (+) later. */
  void merge(const AttentionState& later, int head_dim) const {
    if (later.empty()) return;
    if (empty()) {
      for (int d = 0; d < head_dim; d++) out[d] = later.out[d];
      *max = *later.max;
      *sum = *later.sum;
      return;
    }
    const float new_max = *max > *later.max ? *max : *later.max;
    const float a = exp2_f32(*max - new_max), b = exp2_f32(*later.max - new_max);
    for (int d = 0; d < head_dim; d++) out[d] = out[d] * a + later.out[d] * b;
    *sum = *sum * a + *later.sum * b;
    *max = new_max;
  }

  /** result = out / sum; zeros when no key was read. */
  void normalize(int head_dim, float* result) const {
    const float inverse = *sum == 0.0f ? 0.0f : 1.0f / *sum;
    for (int d = 0; d < head_dim; d++) result[d] = out[d] * inverse;
  }
};

}  // namespace cachalot::cpu
