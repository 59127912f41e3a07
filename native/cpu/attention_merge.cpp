// Folds a row's partials in context order: those of a span group, then the span groups; then
// normalizes. The span groups of a blend fold by themselves, and merge as one.

#include <algorithm>
#include <cmath>

#include "cpu/device/merge_state.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kSmallest = 32;  // states of heads that are worth handing over

void merge_head(const OpContext& context, const AttentionMergeParams& params,
                const AttentionPlan& plan, int row, int head, float* memory) {
  const int head_dim = params.head_dim;
  float scalars[6];
  const AttentionState total{memory, scalars, scalars + 1},
      span_group{memory + head_dim, scalars + 2, scalars + 3},
      blend{memory + 2 * head_dim, scalars + 4, scalars + 5};
  clear_state(total, head_dim);
  int open_blend = -1;
  const int end = plan.merge_begin[static_cast<size_t>(row) + 1];
  for (int i = plan.merge_begin[static_cast<size_t>(row)]; i < end;) {
    const MergeEntry& begins = plan.merge_entries[static_cast<size_t>(i)];
    const int index = begins.span_group, in_blend = begins.blend;
    clear_state(span_group, head_dim);
    for (; i < end && plan.merge_entries[static_cast<size_t>(i)].span_group == index; i++) {
      const int64_t partial = plan.merge_entries[static_cast<size_t>(i)].partial;
      // A partial is only read; AttentionState's pointers are not const because merging also
      // writes.
      auto* out =
          const_cast<float*>(params.partials) + (partial * params.n_heads + head) * (head_dim + 2);
      context.kernels.merge_states(span_group, {out, out + head_dim, out + head_dim + 1}, 1,
                                   head_dim);
    }
    if (in_blend < 0) {
      context.kernels.merge_states(total, span_group, 1, head_dim);
      continue;
    }
    if (in_blend != open_blend) clear_state(blend, head_dim);
    open_blend = in_blend;
    context.kernels.merge_states(blend, span_group, 1, head_dim);
    if (i < end && plan.merge_entries[static_cast<size_t>(i)].blend == in_blend) continue;
    scale_state(blend, plan.blend_factors[static_cast<size_t>(in_blend)], head_dim);
    context.kernels.merge_states(total, blend, 1, head_dim);
  }
  normalize_state(total, head_dim, params.out + (int64_t{row} * params.n_heads + head) * head_dim);
}

}  // namespace

void attention_merge(const OpContext& context, const AttentionMergeParams& params) {
  const AttentionPlan& plan = context.step.plans[static_cast<size_t>(params.plan)];
  const size_t floats = 3 * static_cast<size_t>(params.head_dim);
  auto* memory = reinterpret_cast<float*>(
      context.scratch.get(floats * 4 * static_cast<size_t>(context.pool.size())));
  const int n_heads = params.n_heads;
  const auto states = [&](int64_t first, int64_t end, int thread) {
    for (int64_t i = first; i < end; i++)
      merge_head(context, params, plan, static_cast<int>(i / n_heads),
                 static_cast<int>(i % n_heads), memory + floats * static_cast<size_t>(thread));
  };
  context.pool.parallel_ranges(int64_t{plan.n_rows()} * n_heads, kSmallest, states);
}

}  // namespace cachalot::cpu
