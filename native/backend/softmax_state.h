// The algebra of split attention. A partial result over some keys is (out, max, sum) with
//   out = sum_i 2^(s_i - max) v_i,  sum = sum_i 2^(s_i - max);  lse2 = max + log2(sum).
// Two merge by
//   max' = larger max,  a = 2^(max - max'),  b = 2^(later.max - max'),
//   out' = a out + b later.out,  sum' = a sum + b later.sum.
// An empty part has max = -inf, sum = 0, out = 0, and is the neutral element on both sides: a case
// of its own, since -inf - -inf is not a number. Each backend has its own 2^x and writes its own
// multiply-adds, which decide its bits. C headers only, and `static`: kernels of several
// instruction sets include it.
#pragma once

#include <math.h>

namespace cachalot {

/** A partial whose scores were all NaN is not empty: its sum is not 0. */
static constexpr bool is_empty_state(float max, float sum) {
  return max == -INFINITY && sum == 0.0f;
}

enum class MergeCase { kKeep, kReplace, kBlend };

/** How the state (max, sum) changes when a later one is merged into it. */
static constexpr MergeCase merge_case(float max, float sum, float later_max, float later_sum) {
  if (is_empty_state(later_max, later_sum)) return MergeCase::kKeep;
  return is_empty_state(max, sum) ? MergeCase::kReplace : MergeCase::kBlend;
}

}  // namespace cachalot
