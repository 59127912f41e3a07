// Where partial results lie: first all outs, [n_partials, H, D], then (max, sum) of each, so that
// both are read and written in whole sectors.
#pragma once

#include "cuda/abi.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

struct Partials {
  float* outs;      // [n_partials, H, D]
  float2* scalars;  // [n_partials, H] max, then sum
  int n_heads, head_dim;

  SIMT_DEV Partials(float* memory, const DevicePlan& plan, int heads, int dims)
      : outs(memory),
        scalars(reinterpret_cast<float2*>(memory +
                                          static_cast<int64_t>(plan.n_partials) * heads * dims)),
        n_heads(heads),
        head_dim(dims) {}

  SIMT_DEV int64_t index(int64_t partial, int head) const { return partial * n_heads + head; }
  SIMT_DEV float* out(int64_t at) const { return outs + at * head_dim; }
};

}  // namespace cachalot::cuda
