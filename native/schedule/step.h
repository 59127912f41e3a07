// One forward pass: which sequences take part, with which tokens, and which outputs are wanted.
#pragma once

#include <vector>

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

/** Entries in order, and the rows and outputs of all of them in the same order. */
struct Step {
  std::vector<StepEntry> entries;
  std::vector<int32_t> tokens;       // one per row
  std::vector<int32_t> parents;      // the same; within the row's TokenTree
  std::vector<int32_t> output_rows;  // rows whose logits are wanted
  int n_decoding = 0;  // rows of sequences that wait for their next token only; they come first
  PromptWork prompts;  // the other rows

  int n_rows() const { return static_cast<int>(tokens.size()); }
  int n_outputs() const { return static_cast<int>(output_rows.size()); }
  TokenTree tree(const StepEntry& entry) const {
    const auto first = static_cast<size_t>(entry.first_row), n = static_cast<size_t>(entry.n_rows);
    return {std::span(tokens).subspan(first, n), std::span(parents).subspan(first, n)};
  }
};

}  // namespace cachalot
