// Something that guesses what a sequence will say, from what it has said. A speculator belongs to
// one sequence and follows it.
#pragma once

#include <cstdint>
#include <span>

#include "backend/plan_records.h"
#include "schedule/drafting/guess_tree.h"

namespace cachalot {

/** A row of a sequence in the last step: its token, what was drawn after it, and the likeliest
 * tokens there, best first, if they were asked for. */
struct VerifiedRow {
  int32_t token, drawn;
  std::span<const SampledToken> top;
};

/** What the last step has shown of a sequence. */
struct Verified {
  std::span<const VerifiedRow> right;  // its own row, and those of guesses that were right
  std::span<const VerifiedRow> wrong;  // of guesses that followed these and were wrong, as they
                                       // stand one after the other
  std::span<const VerifiedRow> other;  // of other branches
};

class Speculator {
 public:
  virtual ~Speculator() = default;
  /** Adds what may follow `tokens`: all of the sequence's. */
  virtual void propose(std::span<const int32_t> tokens, GuessTree* tree) = 0;
  virtual void observe(const Verified&) {}
  /** The sequence ends. `text`: those of its tokens that were new. */
  virtual void end(std::span<const int32_t>) {}
  /** What says which tokens of all speculators may come; null: all may. */
  virtual GuessFilter* filter() { return nullptr; }
  /** How many likeliest tokens it wants to see of each row. */
  virtual int n_top() const { return 0; }
};

}  // namespace cachalot
