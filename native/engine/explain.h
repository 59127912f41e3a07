// Reports for people: what the planner did in the last steps, and why.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "attention/readers.h"
#include "engine/execute.h"

namespace cachalot {

/** A range of context that several sequences of a step share. */
struct GroupReport {
  int depth;            // ranges above it
  int sequences, rows;  // its readers
  int first_token, n_tokens;
  bool grouped;                    // read once for all of them
  double grouped_us, separate_us;  // estimates per layer; 0 where nothing was estimated
  uint64_t bytes_not_read;         // of K and V, all layers
};

struct StepReport {
  uint64_t step;
  int sequences, decoding, rows;
  int drafted;     // of the rows: guesses
  double plan_us;  // host time: scheduling and planning
  double step_ms;
  std::vector<GroupReport> groups;  // those of the layers that read most, largest first
};

/** The groups of the layers that read most (StepOutcome::readers), at most 32. */
std::vector<GroupReport> report_groups(const ReaderTree& tree, uint64_t kv_bytes_per_token);

/** The last steps in which anything was shared or guessed, and the last edits of contexts. */
class Explanation {
 public:
  void add(StepReport report) {
    steps_.push_back(std::move(report));
    if (steps_.size() > kSteps) steps_.pop_front();
  }
  void add(EditReport report) {
    edits_.push_back(std::move(report));
    if (edits_.size() > kEdits) edits_.pop_front();
  }
  std::vector<StepReport> steps() const { return {steps_.begin(), steps_.end()}; }
  std::vector<EditReport> edits() const { return {edits_.begin(), edits_.end()}; }

 private:
  static constexpr size_t kSteps = 128, kEdits = 64;
  std::deque<StepReport> steps_;
  std::deque<EditReport> edits_;
};

}  // namespace cachalot
