// How a request's tokens are drawn, as its caller asks.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace cachalot {

/** DRY: a token that would make a repetition longer loses multiplier * base ^ (length - allowed).
 */
struct DryOptions {
  float multiplier = 0;  // 0: off
  float base = 1.75f;
  int allowed_length = 2;         // repetitions up to here are free
  int window = 0;                 // the last tokens that are looked at; 0: all
  std::vector<int32_t> breakers;  // ascending; a repetition ends at such a token
};

/** In the order of docs/engine.md; SampleRow in backend/plan_records.h says what each does. */
struct SamplingOptions {
  std::vector<std::pair<int32_t, float>> bias;
  float repetition_penalty = 1;  // of tokens in prompt and answer (Keskar et al. 2019)
  float frequency_penalty = 0;   // per occurrence in the answer
  float presence_penalty = 0;    // for any occurrence in the answer
  int penalty_window = 0;        // the last tokens that the three look at; 0: all
  DryOptions dry;
  float temperature = 0;
  int top_k = 0;
  float typical_p = 1, top_p = 1, min_p = 0;
  uint64_t seed = 0;
  uint32_t completion = 0;
  int n_top = 0;        // likeliest tokens to report with each token
  int noise_shift = 0;  // of a drafter, whose text has other positions than the one it guesses for

  bool has_penalties() const {
    return repetition_penalty != 1 || frequency_penalty != 0 || presence_penalty != 0;
  }
  bool has_edits() const { return !bias.empty() || has_penalties() || dry.multiplier > 0; }
};

}  // namespace cachalot
