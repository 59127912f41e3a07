// One forward pass: which sequences take part, with which tokens, and which outputs are wanted.
#pragma once

#include <vector>

#include "schedule/sequence.h"
#include "schedule/token_tree.h"

namespace cachalot {

struct StepEntry {
  Sequence* sequence;
  TokenTree tree;
  int first_row;                  // of the step
  int first_output;               // of the step: the outputs follow in the order of output_nodes
  std::vector<int> output_nodes;  // nodes of the tree whose logits are wanted
};

struct Step {
  std::vector<StepEntry> entries;
  int n_rows = 0;
  int n_outputs = 0;
  int n_decoding = 0;  // rows of sequences that wait for their next token only; they come first
};

}  // namespace cachalot
