// What rows of prompts cost a step, learned from the steps before: so many milliseconds a row, so
// many for each key that a row reads, and so many for each key that a prompt's chunk reads at all,
// however few its rows. That a chunk deep in its prompt takes longer is what the second and third
// say.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace cachalot {

/** The rows of prompts in a step. */
struct PromptWork {
  double rows = 0, row_keys = 0, keys = 0;

  /** Adds n rows that follow `depth` tokens of their context. */
  void add(int n, int depth) {
    rows += n;
    row_keys += n * (depth + 0.5 * n);
    keys += depth + n;
  }
  PromptWork with(int n, int depth) const {
    PromptWork sum = *this;
    sum.add(n, depth);
    return sum;
  }
};

class PromptCost {
 public:
  double ms(const PromptWork& work) const {
    const Features x = features(work);
    return weights_[0] * x[0] + weights_[1] * x[1] + weights_[2] * x[2];
  }

  void learn(const PromptWork& work, double ms) {
    // Older steps count less: of a text's length, and of what else the machine does, they know
    // less.
    for (auto& row : moments_)
      for (double& value : row) value *= kKept;
    for (double& value : products_) value *= kKept;
    const Features x = features(work);
    for (size_t i = 0; i < x.size(); i++) {
      for (size_t j = 0; j < x.size(); j++) moments_[i][j] += x[i] * x[j];
      products_[i] += x[i] * ms;
    }
    fit();
  }

 private:
  using Features = std::array<double, 3>;

  static constexpr double kKept = 0.9;
  static constexpr double kRidge = 1e-3;  // of the diagonal: steps that are alike leave much open

  static Features features(const PromptWork& work) {
    return {work.rows, work.row_keys / 1000, work.keys / 1000};
  }

  /** Least squares; a weight that would be negative is 0, and the others are fitted without it. */
  void fit() {
    std::array<bool, 3> used{true, true, true};
    for (;;) {
      weights_ = solve(used);
      const auto least = std::ranges::min_element(weights_);
      if (*least >= 0) return;
      used[static_cast<size_t>(least - weights_.begin())] = false;
    }
  }

  Features solve(const std::array<bool, 3>& used) const {
    std::array<std::array<double, 4>, 3> rows{};  // of a linear system, the right side last
    for (size_t i = 0; i < 3; i++) {
      for (size_t j = 0; j < 3; j++) rows[i][j] = used[i] && used[j] ? moments_[i][j] : 0;
      rows[i][3] = used[i] ? products_[i] : 0;
      rows[i][i] += kRidge * moments_[i][i] + 1e-12;
    }
    // The matrix is positive definite, so no pivot is 0.
    for (size_t i = 0; i < 3; i++)
      for (size_t k = 0; k < 3; k++) {
        if (k == i) continue;
        const double factor = rows[k][i] / rows[i][i];
        for (size_t j = i; j < 4; j++) rows[k][j] -= factor * rows[i][j];
      }
    return {rows[0][3] / rows[0][0], rows[1][3] / rows[1][1], rows[2][3] / rows[2][2]};
  }

  std::array<Features, 3> moments_{};
  Features products_{}, weights_{};
};

}  // namespace cachalot
