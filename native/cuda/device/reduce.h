// Sums, maxima and the best of a block of threads, in an order that depends on nothing but the
// number of threads. All threads call, and all get the result.
#pragma once

#include "cuda/device/simt.h"

namespace cachalot::cuda {

constexpr int kReduceWarps = 16, kReduceThreads = 32 * kReduceWarps;

template <class T, class Join>
SIMT_DEV T reduce_block(T value, const Join& join) {
  for (int step = 16; step > 0; step /= 2)
    value = join(value, __shfl_xor_sync(0xffffffffu, value, step));
  using Values = T[kReduceWarps];
  SIMT_SHARED(Values, of_warps);
  __syncthreads();  // all have read the result before
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = of_warps[0];
  for (int i = 1; i < kReduceWarps; i++) value = join(value, of_warps[i]);
  return value;
}

template <class T>
SIMT_DEV T sum_of_block(T value) {
  return reduce_block(value, [](T a, T b) { return a + b; });
}
SIMT_DEV float max_of_block(float value) {
  return reduce_block(value, [](float a, float b) { return fmaxf(a, b); });
}

/** A token and what it is worth; none yet: -1. */
struct Best {
  double value;
  int token;
};
/** The larger value; the smaller token among equals. */
SIMT_DEV Best best_of_block(Best mine) {
  const auto better = [](const Best& a, const Best& b) {
    if (a.token < 0 || b.token < 0) return a.token < 0 ? b : a;
    if (a.value != b.value) return a.value > b.value ? a : b;
    return a.token < b.token ? a : b;
  };
  for (int step = 16; step > 0; step /= 2) {
    Best other;
    other.value = __shfl_xor_sync(0xffffffffu, mine.value, step);
    other.token = __shfl_xor_sync(0xffffffffu, mine.token, step);
    mine = better(mine, other);
  }
  using Values = Best[kReduceWarps];
  SIMT_SHARED(Values, of_warps);
  __syncthreads();
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = mine;
  __syncthreads();
  mine = of_warps[0];
  for (int i = 1; i < kReduceWarps; i++) mine = better(mine, of_warps[i]);
  return mine;
}

}  // namespace cachalot::cuda
