// What was drawn for the coming places when the tokens before them were guesses that turned out
// wrong (Jacobi decoding, Santilli et al. 2023; SJD, Teng et al. 2024, arXiv 2410.01699): noise is
// keyed by the place, so that a draw often stays what it was. When nothing is known, the last token
// is guessed again and again, as the iteration must begin somewhere.
#pragma once

#include <vector>

#include "schedule/speculators/speculator.h"

namespace cachalot {

class JacobiSpeculator final : public Speculator {
 public:
  void propose(std::span<const int32_t> tokens, GuessTree* tree) override {
    int node = GuessTree::kNone;
    for (size_t i = 0; i < kWindow; i++) {
      node = tree->add(node, i < next_.size() ? next_[i] : tokens.back(), kJacobi);
      if (node < 0) return;
    }
  }

  /** The first wrong guess stood where the last right token now stands: what was drawn after it is
   * a guess for the place that comes next. */
  void observe(const Verified& step) override {
    next_.clear();
    for (const VerifiedRow& row : step.wrong) next_.push_back(row.drawn);
  }

 private:
  static constexpr size_t kWindow = 4;
  std::vector<int32_t> next_;
};

}  // namespace cachalot
