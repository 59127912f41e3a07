#include "engine/demand.h"

#include <algorithm>

namespace cachalot {

int reusable_tokens(const Sequence& sequence) {
  switch (sequence.request.kind) {
    case RequestKind::kGenerate:
    case RequestKind::kPrefill: return static_cast<int>(sequence.tokens.size()) - 1;
    case RequestKind::kScore: return sequence.n_outputs;
    case RequestKind::kLogits:
      return sequence.request.rows[static_cast<size_t>(sequence.n_outputs)];
  }
  return 0;
}

int tokens_to_compute(const Sequence& sequence) {
  switch (sequence.request.kind) {
    case RequestKind::kGenerate:
    case RequestKind::kPrefill: return static_cast<int>(sequence.tokens.size());
    case RequestKind::kScore: return sequence.n_prompt() - 1;
    case RequestKind::kLogits: return sequence.request.rows.back() + 1;
  }
  return 0;
}

bool wants_output(const Sequence& sequence, int index) {
  switch (sequence.request.kind) {
    case RequestKind::kPrefill: return false;
    case RequestKind::kGenerate: return index + 1 == static_cast<int>(sequence.tokens.size());
    case RequestKind::kScore: return index >= sequence.n_outputs;
    case RequestKind::kLogits: {
      // Rows already delivered may be computed again, after a preemption; they are not wanted
      // twice.
      const auto& rows = sequence.request.rows;
      return std::binary_search(rows.begin() + sequence.n_outputs, rows.end(), index);
    }
  }
  return false;
}

}  // namespace cachalot
