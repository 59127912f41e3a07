// Makes an AttentionPlan (backend/attention_plan.h) from the rows of a step.
#pragma once

#include <span>
#include <vector>

#include "attention/readers.h"
#include "backend/attention_plan.h"

namespace cachalot {

/** Whether sequences that share blocks read them together (Hydragen, Juravsky et al. 2024). */
enum class Grouping { kAuto, kAlways, kNever };

struct PlanOptions {
  PlanShape shape;
  int window = 0;   // a row reads this many positions, its own included; 0: all
  KvStore store{};  // where the parts' slabs lie for this class of layers
  Grouping grouping = Grouping::kAlways;
  const AttentionCosts* costs = nullptr;  // for kAuto
  KvStore edited_store{};                 // where the blocks of edited parts lie
};

/** Covers every (row, key at or before it and in its window) exactly once. The options change how
 * work is cut, never a result. `tree`: the shared ranges, and which of them are read together. */
AttentionPlan plan_attention(std::span<const PlanSequence> sequences, const AddressList& list,
                             const PlanOptions& options, ReaderTree* tree = nullptr);

}  // namespace cachalot
