// Limits the prompt rows beside decoding rows, so that the time between tokens stays under a target
// (SARATHI's chunks, with a size that adapts). Predicts a step's time: the time of a step without
// prompt rows, plus a slope per prompt row taken from the last step that had some.
#pragma once

#include <algorithm>

namespace cachalot {

class ChunkControl {
 public:
  explicit ChunkControl(double target_ms) : target_ms_(target_ms) {}

  /** The most rows of prompts in a step that also decodes; no limit without a target. */
  int rows(int n_decoding, int no_limit) const {
    if (target_ms_ <= 0 || n_decoding == 0) return no_limit;
    return std::max(kLeast, static_cast<int>(rows_));
  }

  void learn(int n_decoding, int n_prompt, double ms) {
    if (target_ms_ <= 0 || n_decoding == 0) return;
    if (n_prompt == 0) {
      decode_ms_ = decode_ms_ == 0 ? ms : decode_ms_ + kRate * (ms - decode_ms_);
      return;
    }
    decode_ms_ = std::min(decode_ms_, ms);  // fewer rows may decode by now
    // The time that prompt rows may take, and the time that each of them took just now.
    const double room = std::max(0.0, kMargin * target_ms_ - decode_ms_);
    const double per_row = std::max(ms - decode_ms_, kLeastShare * ms) / n_prompt;
    const double wanted = room / per_row;
    // Shrinks at once and grows by halves, because a late step delays users.
    rows_ = std::clamp(wanted < rows_ ? wanted : rows_ + 0.5 * (wanted - rows_), 0.0,
                       2.0 * n_prompt + kLeast);
  }

 private:
  static constexpr int kLeast = 4;             // rows: a prompt always goes on
  static constexpr double kMargin = 0.9;       // of the target, because times scatter
  static constexpr double kRate = 0.1;         // weight of a new time in the running mean
  static constexpr double kLeastShare = 0.02;  // of a step's time: prompt rows are never free

  double target_ms_;
  double decode_ms_ = 0;  // of a step without prompts; 0: not seen yet
  double rows_ = 32;
};

}  // namespace cachalot
