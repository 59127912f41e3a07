// What a step takes by its number of rows, learned from steps without prompts. Where nothing is
// known yet, a further row is thought to be cheap: so it is tried, and its cost known.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace cachalot {

class StepCosts {
 public:
  static constexpr int kMostRows = 512;

  /** The numbers of rows that steps with drafts are brought to: few of them, so that their costs
   * are soon known, and that a GPU finds its graphs again. */
  static int rounded(int n_rows) {
    int unit = 1;
    while (n_rows > 8 * unit) unit *= 2;
    return n_rows / unit * unit;
  }

  /** Milliseconds of a step of n rows; 0 if no step is known. */
  double ms(int n_rows) const;
  void learn(int n_rows, double ms);
  /** Whether steps of n rows have been seen of late. */
  bool is_fresh(int n_rows) const {
    const Known& known = at(n_rows);
    return known.n > 0 && n_steps_ - known.seen < kStale;
  }

 private:
  static constexpr uint64_t kStale = 128;      // steps
  static constexpr uint64_t kForgotten = 512;  // steps
  static constexpr double kPriorShare = 0.08;  // of a step of one row, for each further one

  struct Known {
    double ms = 0;
    int n = 0;
    uint64_t seen = 0;
  };
  static size_t index(int n_rows) {
    return static_cast<size_t>(std::clamp(n_rows, 1, kMostRows)) - 1;
  }
  const Known& at(int n_rows) const { return known_[index(n_rows)]; }
  bool counts(size_t i) const { return known_[i].n > 0 && n_steps_ - known_[i].seen < kForgotten; }

  std::array<Known, kMostRows> known_{};
  uint64_t n_steps_ = 0;
};

}  // namespace cachalot
