// Guesses the text that must come next, where an answer has to match something, and says which
// guesses of others may come.
#pragma once

#include "engine/constraint.h"
#include "schedule/speculators/speculator.h"

namespace cachalot {

class ForcedSpeculator final : public Speculator {
 public:
  explicit ForcedSpeculator(Constraint& constraint) : constraint_(constraint) {}

  void propose(std::span<const int32_t>, GuessTree* tree) override {
    int node = GuessTree::kNone;
    for (const int32_t token : constraint_.forced()) {
      node = tree->add(node, token, kForced);
      if (node < 0) return;
    }
  }
  GuessFilter* filter() override { return &constraint_; }

 private:
  Constraint& constraint_;  // of the sequence's request, which lives longer
};

}  // namespace cachalot
