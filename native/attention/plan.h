// From the rows of a step to an AttentionPlan (backend/attention_plan.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/attention_plan.h"

namespace cachalot {

/** Consecutive rows of a step that continue one context, in order: row i stands at position
 * first_position + i. */
struct PlanSequence {
  int32_t first_row, n_rows;
  int32_t first_position;          // tokens of context before the first row
  std::span<const uint32_t> runs;  // one per 32 tokens, the rows' own included
};

struct PlanOptions {
  int heads_per_kv_head;  // H / G
  int n_kv_heads;         // G
  int parallelism;  // items are split further, at spans, while there are fewer than twice as many
                    // pieces of work
  int window = 0;   // a row reads the last so many keys, its own included; 0: all
};

/** Covers every (row, key at or before it and in its window) exactly once. The options change how
 * work is cut, never a result. */
AttentionPlan plan_attention(std::span<const PlanSequence> sequences, const PlanOptions& options);

}  // namespace cachalot
