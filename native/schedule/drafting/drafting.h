// Which guesses a step tries. Guesses make a step longer for all of its sequences, and give some of
// them more tokens. So many are taken as make the time for a token shortest, in the mean over all
// sequences: one that copies may not hold up seven that do not. None are taken where plain steps
// are as good.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "schedule/drafting/drafter.h"
#include "schedule/drafting/model_guesser.h"
#include "schedule/drafting/step_costs.h"
#include "schedule/token_tree.h"

namespace cachalot {

struct Sequence;

/** Makes the speculators of a sequence. */
using SpeculatorMaker = std::function<Drafter::Speculators(const Sequence&)>;

class Drafting {
 public:
  /** `model`: guesses, too, or null. `always`: tests try every guess, whatever it costs. */
  explicit Drafting(SpeculatorMaker make, ModelGuesser* model = nullptr, bool always = false)
      : make_(std::move(make)), model_(model), always_(always) {}

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

  /** Lets the guides of the candidates draw a token each, and so many more to try as pay. */
  void guide(std::span<const Candidate> candidates, const Limits& limits);
  /** Reads some of what a sequence's guide has to know. Returns the rows. */
  int read(Sequence* sequence, int most_rows);
  /** The rows to read, so that a step with so many others takes no longer than that. */
  int n_read_rows(int n_others, double most_ms, int most_rows) const;
  const ModelGuesser& model() const { return *model_; }
  ModelGuesser& model() { return *model_; }

  /** Learns that a step without prompts took so long. */
  void learn(int n_rows, double ms) { costs_.learn(n_rows, ms); }
  /** Learns what a step has shown of a sequence, and which tokens were drawn. */
  void observe(Sequence* sequence, const Verified& step, std::span<const int32_t> drawn);

  /** A sequence has ended. */
  void forget(uint64_t id) {
    if (model_ != nullptr) model_->forget(id);
  }
  /** How long the model has taken since this was last asked for. */
  double take_guess_ms() { return std::exchange(guess_ms_, 0); }

 private:
  /** A node that may be taken next: its parent is. */
  struct Open {
    double saves;  // of a step's time for a token of its sequence
    int32_t candidate, node;
    bool operator<(const Open& other) const { return saves < other.saves; }
  };
  bool rests(const Limits& limits);
  int most_worthwhile(const Limits& limits) const;
  void propose(std::span<const Candidate> candidates, int most_nodes);
  void ask_model(std::span<const Candidate> candidates, const Limits& limits);
  void open_children(std::span<const Candidate> candidates, size_t candidate, int node);
  void take_best(std::span<const Candidate> candidates, const Limits& limits, int most);
  double saved_by(std::span<const Candidate> candidates, const Open& open) const;

  SpeculatorMaker make_;
  ModelGuesser* model_;
  bool always_;
  GuessPace pace_, guide_pace_;
  double read_ms_ = 0;  // of a row that guides read; 0: not known yet
  double guess_ms_ = 0;
  StepCosts costs_;
  Acceptance all_;
  size_t next_ = 0;                // candidate that is asked first
  int n_vain_ = 0, n_rested_ = 0;  // steps
  // Of choose: a heap; the tokens that a step gives each candidate; what was taken, best first.
  std::vector<Open> open_;
  std::vector<double> tokens_;
  std::vector<std::pair<int32_t, int32_t>> taken_;  // candidate, node
};

}  // namespace cachalot
