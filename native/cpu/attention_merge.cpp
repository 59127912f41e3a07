// Folds a row's partials in context order: the spans of a group, then the groups; then normalizes.

#include <algorithm>
#include <cmath>

#include "cpu/device/attention_state.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kSmallest = 32;  // states of heads that are worth handing over

void merge_head(const OpContext& context, const AttentionMergeParams& params, int row, int head,
                float* memory) {
  const int head_dim = params.head_dim;
  float scalars[4];
  const AttentionState total{memory, scalars, scalars + 1},
      group{memory + head_dim, scalars + 2, scalars + 3};
  clear_state(total, head_dim);
  const int end = params.plan->merge_begin[static_cast<size_t>(row) + 1];
  for (int i = params.plan->merge_begin[static_cast<size_t>(row)]; i < end;) {
    const int index = params.plan->merge_entries[static_cast<size_t>(i)].group;
    clear_state(group, head_dim);
    for (; i < end && params.plan->merge_entries[static_cast<size_t>(i)].group == index; i++) {
      const int64_t partial = params.plan->merge_entries[static_cast<size_t>(i)].partial;
      // A partial is only read; AttentionState's pointers are not const because merging also
      // writes.
      auto* out =
          const_cast<float*>(params.partials) + (partial * params.n_heads + head) * (head_dim + 2);
      context.kernels.merge_states(group, {out, out + head_dim, out + head_dim + 1}, 1, head_dim);
    }
    context.kernels.merge_states(total, group, 1, head_dim);
  }
  normalize_state(total, head_dim, params.out + (int64_t{row} * params.n_heads + head) * head_dim);
}

}  // namespace

void attention_merge(const OpContext& context, const AttentionMergeParams& params) {
  const size_t floats = 2 * static_cast<size_t>(params.head_dim);
  auto* memory = reinterpret_cast<float*>(
      context.scratch.get(floats * 4 * static_cast<size_t>(context.pool.size())));
  const int n_heads = params.n_heads;
  const auto states = [&](int64_t first, int64_t end, int thread) {
    for (int64_t i = first; i < end; i++)
      merge_head(context, params, static_cast<int>(i / n_heads), static_cast<int>(i % n_heads),
                 memory + floats * static_cast<size_t>(thread));
  };
  context.pool.parallel_ranges(int64_t{params.n_rows} * n_heads, kSmallest, states);
}

}  // namespace cachalot::cpu
