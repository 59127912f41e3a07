// Radix selection: the key down to which the largest keys must be taken for their weights to reach
// a target. No sorting: eight passes at most over a list that lies in the second cache, each a
// histogram of one more byte of the keys that are still in question. Weights are whole numbers, so
// that their sums do not depend on the order in which threads add.
#pragma once

#include "cuda/device/reduce.h"

namespace cachalot::cuda {

using Key = unsigned long long;
using Weight64 = unsigned long long;

/** Floats in their order, as whole numbers. */
SIMT_DEV uint32_t ordered_bits(float value) {
  const auto bits = static_cast<uint32_t>(simt::float_as_int(value));
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}
/** Larger logits first, smaller tokens first among equals. */
SIMT_DEV Key likelihood_key(float logit, int token) {
  return static_cast<Key>(ordered_bits(logit)) << 32 | ~static_cast<uint32_t>(token);
}

/** `visit(token, take)` calls take(key, weight) if the token takes part. Weights are at least 1.
 * All threads of the block call. */
template <class Visit>
SIMT_DEV Key select_largest(int n, Weight64 target, const Visit& visit) {
  using Weights = Weight64[256];
  using Counts = unsigned[256];
  struct Choice {
    int digit;
    Weight64 target;
  };
  SIMT_SHARED(Weights, weights);
  SIMT_SHARED(Counts, counts);
  SIMT_SHARED(Choice, choice);
  Key prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += kReduceThreads) weights[i] = 0, counts[i] = 0;
    __syncthreads();
    for (int token = threadIdx.x; token < n; token += kReduceThreads) {
      visit(token, [&](Key key, Weight64 weight) {
        if (shift < 56 && key >> (shift + 8) != prefix) return;
        const int digit = static_cast<int>(key >> shift & 255);
        atomicAdd(&weights[digit], weight);
        atomicAdd(&counts[digit], 1u);
      });
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int last = -1;  // the lowest digit there is: all are taken if the target is out of reach
      Weight64 left = target;
      for (int digit = 255; digit >= 0; digit--) {
        if (counts[digit] == 0) continue;
        last = digit;
        if (weights[digit] >= left) break;
        left -= weights[digit];
      }
      choice.digit = last;
      choice.target = last >= 0 && weights[last] < left ? weights[last] : left;
    }
    __syncthreads();
    if (choice.digit < 0) return 0;  // nothing takes part
    prefix = prefix << 8 | static_cast<Key>(choice.digit);
    target = choice.target;
    if (counts[choice.digit] == 1) return prefix << shift;
  }
  return prefix;
}

}  // namespace cachalot::cuda
