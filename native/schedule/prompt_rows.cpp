// How many rows of a step a prompt has.

#include <algorithm>

#include "schedule/scheduler.h"

namespace cachalot {

namespace {

constexpr int kShortLooks = 4;  // waiting sequences that may join the first prompt's step

}  // namespace

/** Short prompts go beside the first one: those which can end in this step, though the first has
 * half of the rows that it would have alone. Some of them may still wait to run. Returns how many
 * rows are left for the first. */
int Scheduler::choose_short_prompts(const Step& step) {
  short_.running.clear();
  short_.waiting.clear();
  const Sequence& first = *prompts_.front();
  const int alone = n_prompt_rows(step, first.n_computed());
  int left = alone;
  PromptWork chosen = step.prompts;
  const auto is_short = [&](const Sequence& sequence) {
    const int depth = sequence.n_computed();
    const PromptWork work = chosen.with(sequence.n_compute() - depth, depth);
    const int room = options_.max_rows - step.n_rows() - static_cast<int>(work.rows);
    const int n = chunk_.rows(step.n_decoding, work, first.n_computed(), room);
    if (n < alone - alone / 2) return false;
    chosen = work;
    left = std::min(left, n);
    return true;
  };
  for (Sequence* sequence : prompts_) {
    const bool is_beside = sequence != &first && sequence->priority == first.priority;
    if (is_beside && sequence->is_running && is_short(*sequence))
      short_.running.push_back(sequence);
  }
  if (waiting_.empty()) return left;
  const int64_t expected = admission_.expected_bytes(running_);
  int n_looks = 0;
  for (const auto& [key, sequence] : waiting_) {
    if (sequence->priority < first.priority || n_looks++ == kShortLooks) break;
    const auto verdict = admission_.can_admit(running_, expected, *sequence);
    if (verdict == Admission::Verdict::kNoRoom) break;
    // Nobody knows yet what a preamble lacks.
    if (verdict == Admission::Verdict::kDefer || sequence->key.preamble != nullptr) continue;
    if (is_short(*sequence)) short_.waiting.push_back(sequence);
  }
  return left;
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
