// Operations on softmax states (backend/softmax_state.h), as plain loops over D. Static functions:
// each path compiles its own.
#pragma once

#include <math.h>

#include "backend/softmax_state.h"
#include "cpu/device/exp2.h"
#include "cpu/device/log2.h"
#include "cpu/kernels.h"

namespace cachalot::cpu {

/** State i of n. */
static inline AttentionState state_at(const AttentionState& states, int i, int head_dim) {
  return {states.out + (int64_t)i * head_dim, states.max + i, states.sum + i};
}

static inline void clear_state(const AttentionState& state, int head_dim) {
  for (int d = 0; d < head_dim; d++) state.out[d] = 0.0f;
  *state.max = -INFINITY;
  *state.sum = 0.0f;
}

static inline void copy_state(const AttentionState& from, const AttentionState& to, int head_dim) {
  for (int d = 0; d < head_dim; d++) to.out[d] = from.out[d];
  *to.max = *from.max;
  *to.sum = *from.sum;
}

static inline void merge_state(const AttentionState& into, const AttentionState& later,
                               int head_dim) {
  switch (merge_case(*into.max, *into.sum, *later.max, *later.sum)) {
    case MergeCase::kKeep: return;
    case MergeCase::kReplace: return copy_state(later, into, head_dim);
    case MergeCase::kBlend: break;
  }
  const float max = *into.max > *later.max ? *into.max : *later.max;
  const float a = exp2_f32(*into.max - max), b = exp2_f32(*later.max - max);
  for (int d = 0; d < head_dim; d++) into.out[d] = into.out[d] * a + later.out[d] * b;
  *into.sum = *into.sum * a + *later.sum * b;
  *into.max = max;
}

/** result = out / sum; zeros when no key was read. */
static inline void normalize_state(const AttentionState& state, int head_dim, float* result) {
  const float inverse = *state.sum == 0.0f ? 0.0f : 1.0f / *state.sum;
  for (int d = 0; d < head_dim; d++) result[d] = state.out[d] * inverse;
}

/** Multiplies the state's lse2 by a factor; what it says of `out / sum` stays. */
static inline void scale_state(const AttentionState& state, float factor, int head_dim) {
  if (is_empty_state(*state.max, *state.sum)) return;
  const float inverse = 1.0f / *state.sum;
  for (int d = 0; d < head_dim; d++) state.out[d] *= inverse;
  *state.max = factor * (*state.max + log2_f32(*state.sum));
  *state.sum = 1.0f;
}

/** The body of a path's merge_states. */
static inline void merge_each_state(const AttentionState& into, const AttentionState& later, int n,
                                    int head_dim) {
  for (int i = 0; i < n; i++)
    merge_state(state_at(into, i, head_dim), state_at(later, i, head_dim), head_dim);
}

}  // namespace cachalot::cpu
