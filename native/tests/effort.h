// How much a test does: a number of turns, which is the same on every machine, or as many as a time
// allows.
#pragma once

#include <chrono>

namespace cachalot::tests {

struct Effort {
  int turns = 4000;    // of each user of a test
  double seconds = 0;  // not 0: so long, however many turns that are
};

/** Begins when it is made. */
class Deadline {
 public:
  explicit Deadline(const Effort& effort)
      : effort_(effort),
        end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(effort.seconds))) {}

  /** Whether there is another turn after `turns`. */
  bool allows(int turns) const {
    return effort_.seconds > 0 ? Clock::now() < end_ : turns < effort_.turns;
  }

 private:
  using Clock = std::chrono::steady_clock;

  Effort effort_;
  Clock::time_point end_;
};

}  // namespace cachalot::tests
