// Limits the prompt rows beside decoding rows, so that the time between tokens stays under a target
// (SARATHI's chunks, with a size that adapts). A step may take what a step without prompt rows
// takes, and then as many prompt rows as PromptCost finds room for at their place in the prompt.
#pragma once

#include <algorithm>

#include "schedule/prompt_cost.h"

namespace cachalot {

class ChunkControl {
 public:
  explicit ChunkControl(double target_ms) : target_ms_(target_ms) {}

  /** How many rows of a prompt a step may have, of at most `most`, after `depth` tokens of the
   * prompt, and beside the rows that it has already: `n_decoding`, and those of `prompts`. */
  int rows(int n_decoding, const PromptWork& prompts, int depth, int most) const {
    if (target_ms_ <= 0 || n_decoding == 0) return most;
    most = std::max(0, std::min(most, static_cast<int>(most_rows_ - prompts.rows)));
    const double room = (kMargin * target_ms_ - decode_ms_) / lateness_;
    int low = 0;
    for (int high = most; low < high;) {
      const int n = (low + high + 1) / 2;
      if (cost_.ms(prompts.with(n, depth)) <= room) low = n;
      else high = n - 1;
    }
    // A prompt always goes on. Where a single row is too late, it is for what the chunk must read.
    return low > 0 || prompts.rows > 0 ? low : std::min(kLeast, most);
  }

  void learn(int n_decoding, const PromptWork& prompts, double ms) {
    if (target_ms_ <= 0 || n_decoding == 0) return;
    if (prompts.rows == 0) {
      decode_ms_ = decode_ms_ == 0 ? ms : decode_ms_ + kRate * (ms - decode_ms_);
      return;
    }
    decode_ms_ = std::min(decode_ms_, ms);                           // fewer rows may decode by now
    const double own = std::max(ms - decode_ms_, kLeastShare * ms);  // prompt rows are never free
    const double expected = cost_.ms(prompts);
    // Shrinks at once and grows by halves, because a late step delays users.
    const double late = expected > 0 ? std::clamp(own / expected, 1.0, kLatest) : 1.0;
    lateness_ = std::max(late, 0.5 * (1.0 + lateness_));
    most_rows_ = std::max(2.0 * prompts.rows + kLeast, kKeptRows * most_rows_);
    cost_.learn(prompts, own);
  }

 private:
  static constexpr int kLeast = 4;             // rows, of a prompt that goes on though it is late
  static constexpr double kMargin = 0.9;       // of the target, because times scatter
  static constexpr double kRate = 0.1;         // weight of a new time in the running mean
  static constexpr double kLeastShare = 0.02;  // of a step's time
  static constexpr double kKeptRows = 0.8;     // of most_rows_, from a step to the next
  static constexpr double kLatest = 4;         // one step may be late for reasons that do not last

  double target_ms_;
  double decode_ms_ = 0;   // of a step without prompts; 0: not seen yet
  double lateness_ = 1;    // how many times longer than expected the last steps took, at least 1
  double most_rows_ = 32;  // twice what the last steps had: nothing is known of more
  PromptCost cost_;
};

}  // namespace cachalot
