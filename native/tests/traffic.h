// Random requests as users make them: new texts, continuations and forks of earlier ones, texts
// after parts of earlier ones, scores, contexts that are pinned and unpinned, aborts.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "tests/client.h"

namespace cachalot::tests {

struct TrafficShape {
  int context_length;
  int n_open;        // requests in flight
  bool with_poison;  // some prompts hold the token whose row is not finite
  // Texts that begin alike, have one window, and are edited all the time: with little memory,
  // freeing, preemption and edits meet.
  bool is_crowded = false;
};

class Traffic {
 public:
  Traffic(Client& client, uint64_t seed, const TrafficShape& shape)
      : client_(client), random_(seed), shape_(shape), next_pin_((seed << 32) + 1) {}

  /** Submits, aborts, pins and forks at random; waits for requests that must end, checks them. */
  void act();
  /** Waits for everything. */
  void finish();
  /** The answers that were right. */
  struct Checked {
    int requests = 0, with_preamble = 0, with_edits = 0, with_window = 0;
    int64_t tokens = 0;  // of prompts and answers
    int64_t guesses = 0, right_guesses = 0;
    Checked& operator+=(const Checked& more);
  };
  const Checked& checked() const { return checked_; }

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }
  Text text();
  Request crowded_request();
  std::vector<int32_t> new_tokens(int n);
  RequestPreambleRef preamble();
  std::vector<ScheduledEdit> edits(int n);
  Request request();
  Request mixed_request();
  void guess(Request* request);
  void submit_batch();
  void settle(size_t open);

  Client& client_;
  std::mt19937_64 random_;
  TrafficShape shape_;
  std::vector<uint64_t> open_;
  std::vector<Text> transcripts_;  // texts that others may continue, fork or have before them
  std::vector<uint64_t> pins_;
  uint64_t next_pin_;  // of this user's own
  Checked checked_;
};

}  // namespace cachalot::tests
