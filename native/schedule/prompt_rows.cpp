// How many rows of a step a prompt has.

#include <algorithm>

#include "schedule/scheduler.h"

namespace cachalot {

namespace {

constexpr int kShortLooks = 4;  // waiting sequences that may join the first prompt's step

}  // namespace

/** Short prompts go beside the first one, which so has fewer rows in this step: those of which so
 * many rows are enough for what is left of all. Some of them may still wait to run. */
void Scheduler::choose_short_prompts(int most_rows) {
  short_.running.clear();
  short_.waiting.clear();
  short_.n_rows = 0;
  const Sequence& first = *prompts_.front();
  const auto is_short = [&](const Sequence& sequence) {
    const int n = sequence.n_compute() - sequence.n_computed();
    const bool fits = short_.n_rows + n <= most_rows;
    if (fits) short_.n_rows += n;
    return fits;
  };
  for (Sequence* sequence : prompts_)
    if (sequence != &first && sequence->priority == first.priority && is_short(*sequence))
      short_.running.push_back(sequence);
  if (waiting_.empty()) return;
  int64_t expected = admission_.expected_bytes(running_);
  int n_looks = 0;
  for (const auto& [key, sequence] : waiting_) {
    if (sequence->priority < first.priority || n_looks++ == kShortLooks) return;
    const auto verdict = admission_.can_admit(running_, expected, *sequence);
    if (verdict == Admission::Verdict::kNoRoom) return;
    if (verdict == Admission::Verdict::kDefer || !is_short(*sequence)) continue;
    expected += admission_.expected_bytes(*sequence);
    short_.waiting.push_back(sequence);
  }
}

/** How many rows of prompts a step has room for, after `depth` tokens of a prompt. */
int Scheduler::n_prompt_rows(const Step& step, int depth) const {
  return chunk_.rows(step.n_decoding, step.prompts, depth, options_.max_rows - step.n_rows());
}

/** How many rows of the sequence fit into the step, together with their outputs. */
int Scheduler::n_rows_for(const Step& step, const Sequence& sequence, int most_rows) const {
  const int first = sequence.n_computed();
  const int room =
      std::min(most_rows, sequence.n_pending() > 1 ? n_prompt_rows(step, first)
                                                   : options_.max_rows - step.n_rows());
  const int n = std::max(0, std::min(sequence.n_compute() - first, room));
  const auto wanted = sequence.wanted_in(first, n);
  const auto n_outputs = static_cast<size_t>(options_.max_outputs - step.n_outputs());
  return wanted.size() <= n_outputs ? n : wanted[n_outputs] - sequence.text_begin - first;
}

}  // namespace cachalot
