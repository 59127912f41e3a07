// Folds a row's partials in context order - the spans of a group, then the groups - and normalizes:
// out = out / sum. A warp takes 32 values of a row at a time; each lane folds its own.

#include "cuda/device/partials.h"
#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;

/** One value of a head's state. */
struct Partial {
  float out = 0.0f, max = -INFINITY, sum = 0.0f;

  SIMT_DEV bool is_empty() const { return max == -INFINITY && sum == 0.0f; }
  SIMT_DEV void add(const Partial& later) {
    if (later.is_empty()) return;
    if (is_empty()) {
      *this = later;
      return;
    }
    const float top = fmaxf(max, later.max);
    const float a = simt::ex2(max - top), b = simt::ex2(later.max - top);
    out = fmaf(later.out, b, out * a);
    sum = fmaf(later.sum, b, sum * a);
    max = top;
  }
};

constexpr int kAhead = 8;  // partials on their way at once: folding one waits for the one before

SIMT_DEV float merged(const AttentionMergeArgs& args, int row, int head, int d) {
  const DevicePlan& plan = args.step->plans[args.plan];
  const Partials partials(args.partials, plan, args.n_heads, args.head_dim);
  Partial total, group;
  const int begin = plan.merge_begin[row], end = plan.merge_begin[row + 1];
  int index = begin < end ? plan.merges[begin].group : 0;
  for (int first = begin; first < end; first += kAhead) {
    Partial parts[kAhead];
    int groups[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const DeviceMerge merge = plan.merges[min(first + i, end - 1)];
      const int64_t at = partials.index(merge.partial, head);
      const float2 scalars = simt::ld8(partials.scalars + at);
      parts[i] = {partials.out(at)[d], scalars.x, scalars.y};
      groups[i] = merge.group;
    }
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      if (first + i >= end) break;
      if (groups[i] != index) {
        total.add(group);
        group = Partial();
        index = groups[i];
      }
      group.add(parts[i]);
    }
  }
  total.add(group);
  return total.sum == 0.0f ? 0.0f : total.out / total.sum;
}

__global__ void __launch_bounds__(kThreads, 1) attention_merge_kernel(AttentionMergeArgs args) {
  const int width = args.n_heads * args.head_dim;
  const int block = blockIdx.x * kWarps + threadIdx.x / 32, row = blockIdx.y;
  if (block >= blocks_of(args.prepared, width)) return;
  const int i = block * 32 + threadIdx.x % 32;
  float value = 0.0f;
  if (i < width) {
    value = merged(args, row, i / args.head_dim, i % args.head_dim);
    args.out[static_cast<int64_t>(row) * width + i] = value;
  }
  store_prepared(args.prepared, row, block, value);
}

}  // namespace

void attention_merge(const LaunchContext& context, const AttentionMergeArgs& args) {
  const int n_blocks = blocks_of(args.prepared, args.n_heads * args.head_dim);
  simt::launch(attention_merge_kernel, dim3((n_blocks + kWarps - 1) / kWarps, args.n_rows),
               dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
