// A model that guesses for several sequences at once. Unlike a speculator's, its guesses take time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "schedule/drafting/step_costs.h"

namespace cachalot {

struct Sequence;

class ModelGuesser {
 public:
  virtual ~ModelGuesser() = default;
  /** Adds up to `depth` tokens, one after the other, to the guesses of each sequence. Those that
   * cannot be guessed for now get none. */
  virtual void guess(std::span<Sequence* const> sequences, int depth) = 0;
  /** A sequence has ended. */
  virtual void forget(uint64_t id) = 0;
};

/** How far a model guesses: as long as that shortens the time for a token. */
class GuessPace {
 public:
  static constexpr int kMostDepth = 8;

  /** `rate`: of right guesses; n sequences, whose steps cost so much. 0: it does not pay. */
  int depth(double rate, int n, const StepCosts& costs, double least_gain, double most_ms) const {
    const double plain = costs.ms(n);
    double best = least_gain, tokens = 1, share = 1;
    int found = 0;
    for (int depth = 1; depth <= kMostDepth; depth++) {
      share *= rate;
      tokens += share;
      const double ms = costs.ms(n * (1 + depth)) + depth * ms_;
      if (most_ms > 0 && ms > most_ms) break;
      if (tokens * plain <= best * ms) continue;
      best = tokens * plain / ms;
      found = depth;
    }
    return found;
  }
  void learn(int depth, double ms) {
    const double each = ms / std::max(1, depth);
    ms_ = ms_ == 0 ? each : ms_ + kRate * (std::min(each, 4 * ms_) - ms_);
  }

 private:
  static constexpr double kRate = 0.15;
  double ms_ = 0;  // of one token of all sequences; 0: not known yet
};

}  // namespace cachalot
