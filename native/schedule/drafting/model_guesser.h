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
   * cannot be guessed for now get none. Returns whether all texts were known to it: if not, it has
   * read some, and its time says nothing of guesses. */
  virtual bool guess(std::span<Sequence* const> sequences, int depth) = 0;
  /** What a sequence's guide is asked for. */
  struct GuideTask {
    Sequence* sequence;
    int n_tokens;  // at least 1
  };
  /** Lets guides draw. What they have not read yet is read first. */
  virtual void guide(std::span<const GuideTask> tasks) = 0;
  /** Reads at most so many rows of what a sequence's guide has to know. Returns how many. */
  virtual int read(Sequence* sequence, int most_rows) = 0;
  /** The rows that it would have to read before its guide draws. */
  virtual int n_missing(Sequence* sequence) = 0;
  /** Tokens that there is memory for. */
  virtual int64_t memory_tokens() const = 0;
  /** A sequence has ended. */
  virtual void forget(uint64_t id) = 0;
};

/** How far a model guesses: as long as that shortens the time for a token. */
class GuessPace {
 public:
  static constexpr int kMostDepth = 8;

  /** `rate`: of right guesses, for n of a step's n_plain sequences. `n_calls`: of the model, that
   * are made anyway. 0: it does not pay. */
  int depth(double rate, int n, int n_plain, const StepCosts& costs, double least_gain,
            double most_ms, int n_calls = 0) const {
    // As in Drafting::take_best.
    double best = n_plain * (costs.ms(n_plain) + n_calls * ms_) / least_gain;
    double tokens = 1, right = 1;
    int found = 0;
    for (int depth = 1; depth <= kMostDepth; depth++) {
      right *= rate;
      tokens += right;
      const double ms = costs.ms(n_plain + n * depth) + (depth + n_calls) * ms_;
      if (most_ms > 0 && ms > most_ms) break;
      const double share = n_plain - n + n / tokens;
      if (share * ms >= best) continue;
      best = share * ms;
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
