// What a step computes and reads, counted in rows and tokens: the roofline's numerators.
#pragma once

#include "schedule/step.h"

namespace cachalot {

struct StepWork {
  uint64_t outputs = 0;         // rows whose logits are computed
  uint64_t output_steps = 0;    // steps that have such rows: they read the output matrix
  uint64_t attended_keys = 0;   // keys that rows may read, over all rows
  uint64_t context_tokens = 0;  // tokens of context, over all sequences: their KV is read
};

/** Before the step is committed. Windows are not taken off. */
inline StepWork work_of(const Step& step) {
  StepWork work;
  work.outputs = step.output_rows.size();
  work.output_steps = step.output_rows.empty() ? 0 : 1;
  for (const StepEntry& entry : step.entries) {
    const auto before = static_cast<uint64_t>(entry.sequence->context->n_computed());
    const auto n = static_cast<uint64_t>(entry.n_rows);
    work.attended_keys += n * before + n * (n + 1) / 2;
    work.context_tokens += before + n;
  }
  for (const StepDraft& draft : step.drafts) {
    const StepEntry& entry = step.entries[static_cast<size_t>(draft.entry)];
    const auto before = static_cast<uint64_t>(entry.sequence->context->n_computed());
    work.attended_keys += static_cast<uint64_t>(draft.tree.size()) * (before + 1);
  }
  return work;
}

}  // namespace cachalot
