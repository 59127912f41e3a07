// Folds a row's partials in context order - those of a span group, then the span groups - and
// normalizes: out = out / sum. The span groups of a blend fold by themselves, and merge as one. A
// warp takes 32 values of a row at a time; each lane folds its own.

#include "cuda/device/merge_state.h"
#include "cuda/device/partials.h"
#include "cuda/device/prepared.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;

/** One value of a head's state. */
struct Partial {
  float out = 0.0f, max = -INFINITY, sum = 0.0f;

  SIMT_DEV void add(const Partial& later) {
    const StateMerge merge(max, sum, later.max, later.sum);
    if (merge.which == MergeCase::kReplace) out = later.out;
    else if (merge.which == MergeCase::kBlend) out = merge.blend(out, later.out);
    max = merge.max, sum = merge.sum;
  }

  /** Multiplies its lse2 by a factor. */
  SIMT_DEV void scale(float factor) {
    if (is_empty_state(max, sum)) return;
    out /= sum;
    max = scaled_max(max, sum, factor);
    sum = 1.0f;
  }
};

/** Folds span groups, one after the other, and those of a blend by themselves. */
class Total {
 public:
  SIMT_DEV explicit Total(const float* factors) : factors_(factors) {}

  SIMT_DEV void add(const Partial& span_group, int blend) {
    if (blend != blend_) end_blend();
    blend_ = blend;
    if (blend < 0) total_.add(span_group);
    else blended_.add(span_group);
  }
  SIMT_DEV float normalized() {
    end_blend();
    return total_.sum == 0.0f ? 0.0f : total_.out / total_.sum;
  }

 private:
  SIMT_DEV void end_blend() {
    if (blend_ < 0) return;
    blended_.scale(factors_[blend_]);
    total_.add(blended_);
    blended_ = Partial();
    blend_ = -1;
  }

  const float* factors_;
  Partial total_, blended_;
  int blend_ = -1;  // the one whose span groups come now
};

constexpr int kAhead = 8;  // partials on their way at once: folding one waits for the one before

SIMT_DEV float merged(const AttentionMergeArgs& args, int row, int head, int d) {
  const DevicePlan& plan = args.step->plans[args.plan];
  const Partials partials(args.partials, plan, args.n_heads, args.head_dim);
  Total total(plan.blend_factors);
  Partial span_group;
  const int begin = plan.merge_begin[row], end = plan.merge_begin[row + 1];
  int index = begin < end ? plan.merge_entries[begin].span_group : 0;
  int blend = begin < end ? plan.merge_entries[begin].blend : -1;
  for (int first = begin; first < end; first += kAhead) {
    Partial parts[kAhead];
    int span_groups[kAhead], blends[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      const MergeEntry entry = plan.merge_entries[min(first + i, end - 1)];
      const int64_t at = partials.index(entry.partial, head);
      const float2 scalars = simt::ld8(partials.scalars + at);
      parts[i] = {partials.out(at)[d], scalars.x, scalars.y};
      span_groups[i] = entry.span_group;
      blends[i] = entry.blend;
    }
#pragma unroll
    for (int i = 0; i < kAhead; i++) {
      if (first + i >= end) break;
      if (span_groups[i] != index) {
        total.add(span_group, blend);
        span_group = Partial();
        index = span_groups[i];
        blend = blends[i];
      }
      span_group.add(parts[i]);
    }
  }
  total.add(span_group, blend);
  return total.normalized();
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
