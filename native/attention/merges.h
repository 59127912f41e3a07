// The order in which the partials of each row fold.
#pragma once

#include <cstdint>
#include <span>

#include "attention/readers.h"
#include "backend/attention_plan.h"

namespace cachalot {

/** A partial of a row of a part. */
struct PartialOfRow {
  int32_t of;  // which row of which part
  int32_t partial;
  int32_t span_group;  // counted from the part's first
};

/** All partials; those of one row of one part in the order of its keys. */
struct PartialsOfRows {
  std::span<const PartialOfRow> partials;
  std::span<const int32_t> first_part;  // of each sequence, in the plan's parts
  std::span<const int32_t> first_row;   // of each part: `of` of its first row
  size_t n_rows_of_parts;               // the values of `of`
};

/** Adds the partials of each row to a plan, by part and span group: the groups of all parts are one
 * list. And the blends of its parts. */
void add_merges(std::span<const PlanSequence> sequences, const PartialsOfRows& partials,
                AttentionPlan* plan);

}  // namespace cachalot
