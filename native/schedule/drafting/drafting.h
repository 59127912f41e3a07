// Which guesses a step tries. A guess costs a row, and is worth the probability that it saves one:
// of all sequences' guesses the likeliest are taken, and as many of them as give the most tokens
// per time. None are taken where plain steps are as good.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "schedule/drafting/drafter.h"
#include "schedule/drafting/step_costs.h"
#include "schedule/token_tree.h"

namespace cachalot {

struct Sequence;

/** Makes the speculators of a sequence. */
using SpeculatorMaker = std::function<Drafter::Speculators(const Sequence&)>;

class Drafting {
 public:
  /** `always`: tests try every guess, whatever it costs. */
  explicit Drafting(SpeculatorMaker make, bool always = false)
      : make_(std::move(make)), always_(always) {}

  /** A sequence that waits for one token. */
  struct Candidate {
    int entry;  // of the step
    Sequence* sequence;
    int most_depth;  // tokens that it may guess
  };
  struct Limits {
    int n_plain;     // rows that the step has without guesses
    int most_rows;   // more that there is room for
    double most_ms;  // that the step may take; 0: no limit
  };
  /** The guesses to try, of each candidate. Changes only what speculators know. */
  std::vector<TokenTree> choose(std::span<const Candidate> candidates, const Limits& limits);

  /** Learns that a step without prompts took so long. */
  void learn(int n_rows, double ms) { costs_.learn(n_rows, ms); }
  /** Learns what a step has shown of a sequence, and which tokens were drawn. */
  void observe(Sequence* sequence, const Verified& step, std::span<const int32_t> drawn);

  const StepCosts& costs() const { return costs_; }

 private:
  struct Choice {
    float value;
    int32_t candidate, node;
  };
  int most_worthwhile(const Limits& limits) const;
  void propose(std::span<const Candidate> candidates, int most_nodes);
  size_t n_best(const Limits& limits, int most) const;

  SpeculatorMaker make_;
  bool always_;
  StepCosts costs_;
  Acceptance all_;
  std::vector<Choice> choices_;  // of choose
  size_t next_ = 0;              // candidate that is asked first
};

}  // namespace cachalot
