// One forward pass: which sequences take part, with which tokens, and which outputs are wanted.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "kv/branch.h"
#include "schedule/prompt_cost.h"
#include "schedule/sequence.h"
#include "schedule/token_tree.h"

namespace cachalot {

/** What a sequence has of a step: [first, first + n) of the rows and of the outputs. */
struct StepEntry {
  Sequence* sequence;
  int first_row, n_rows;
  int first_output, n_outputs;
};

/** A way through a draft, from the first guess to a leaf. */
struct DraftPath {
  std::vector<int> nodes;        // of the draft's tree
  int n_shared;                  // of these, that an earlier path has, too: its rows serve both
  std::optional<Branch> branch;  // nothing: it is written where the sequence itself writes
};

/** Rows that a sequence tries after its own, which is its last token's: guesses. Every row has an
 * output. */
struct StepDraft {
  int entry;  // of the step
  int first_row, first_output;
  TokenTree tree;
  std::vector<DraftPath> paths;  // the first one has no branch

  /** The row of the step; of node -1: the sequence's own. */
  int row_of(int node, const StepEntry& own) const {
    return node < 0 ? own.first_row : first_row + node;
  }
  int output_of(int node, const StepEntry& own) const {
    return node < 0 ? own.first_output : first_output + node;
  }
};

/** Entries in order, and the rows and outputs of all of them in the same order; then those of the
 * drafts. */
struct Step {
  std::vector<StepEntry> entries;
  std::vector<StepDraft> drafts;     // by ascending entry
  std::vector<int32_t> tokens;       // one per row
  std::vector<int32_t> output_rows;  // rows whose logits are wanted
  int n_decoding = 0;   // rows of sequences that wait for their next token only; they come first
  int n_drafted = 0;    // rows of drafts; they come last
  double guess_ms = 0;  // that a draft model has taken
  PromptWork prompts;   // the other rows

  int n_rows() const { return static_cast<int>(tokens.size()); }
  int n_outputs() const { return static_cast<int>(output_rows.size()); }
  /** Null: it has none. */
  const StepDraft* draft_of(const StepEntry& entry) const {
    const auto index = static_cast<int>(&entry - entries.data());
    const auto found = std::ranges::find(drafts, index, &StepDraft::entry);
    return found == drafts.end() ? nullptr : &*found;
  }
  std::span<const int32_t> tokens_of(const StepEntry& entry) const {
    return std::span(tokens).subspan(static_cast<size_t>(entry.first_row),
                                     static_cast<size_t>(entry.n_rows));
  }
};

}  // namespace cachalot
