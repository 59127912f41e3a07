// How two softmax states merge on the device; see backend/softmax_state.h.
#pragma once

#include "backend/softmax_state.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

/** The maximum of a state whose sum is 1, and whose lse2 is `factor` times that of a state that is
 * not empty. */
SIMT_DEV float scaled_max(float max, float sum, float factor) {
  return factor * (max + simt::lg2(sum));
}

/** The merged maximum and sum, and what becomes of each value of `out`. */
struct StateMerge {
  MergeCase which;
  float max, sum;
  float a = 0.0f, b = 0.0f;  // factors of the state and of the later one

  SIMT_DEV StateMerge(float earlier_max, float earlier_sum, float later_max, float later_sum)
      : which(merge_case(earlier_max, earlier_sum, later_max, later_sum)) {
    if (which == MergeCase::kKeep) {
      max = earlier_max, sum = earlier_sum;
    } else if (which == MergeCase::kReplace) {
      max = later_max, sum = later_sum;
    } else {
      max = fmaxf(earlier_max, later_max);
      a = simt::ex2(earlier_max - max), b = simt::ex2(later_max - max);
      sum = fmaf(later_sum, b, earlier_sum * a);
    }
  }
  /** A value of `out`, unless the case is kKeep. */
  SIMT_DEV float blend(float earlier, float later) const { return fmaf(later, b, earlier * a); }
};

}  // namespace cachalot::cuda
