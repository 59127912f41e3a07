// Which rows of a step read which keys: plain arrays that kernels walk, the same for every layer of
// a class. backend/arithmetic.h says how work may be cut without a change of bits.
#pragma once

#include <vector>

#include "backend/arithmetic.h"
#include "backend/plan_records.h"

namespace cachalot {

struct AttentionPlan {
  std::vector<ContextPart> parts;
  std::vector<WorkItem> items;
  std::vector<ItemRow> item_rows;
  std::vector<AttentionPiece> pieces;  // in the order of their phases
  // Where each phase of `pieces` ends. Items of a phase may continue partial results that items of
  // earlier phases wrote.
  std::vector<int32_t> phase_ends;
  std::vector<int32_t> merge_begin;  // [R + 1] in merge_entries
  std::vector<MergeEntry> merge_entries;
  std::vector<float> blend_factors;
  int32_t n_partials = 0;
  int32_t n_positions = 0;        // queries are rotated by positions below this
  int32_t heads_per_kv_head = 1;  // query heads of a query group, which read the same keys

  int n_rows() const { return static_cast<int>(merge_begin.size()) - 1; }  // R
};

}  // namespace cachalot
