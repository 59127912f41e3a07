// A draft model as a guide: the part of DraftModel that reads what guides read in place of prompts,
// and that draws for every token of theirs. Unlike a guess, this cannot be left out.

#include <algorithm>

#include "base/check.h"
#include "engine/draft_model.h"

namespace cachalot {

/** The last token is read when the guide draws. */
int DraftModel::read(Sequence* sequence, int most_rows) {
  Guide& guide = *sequence->guide;
  const auto n_text = static_cast<int>(guide.context().tokens.size()) - 1;
  for (bool was_cleared = false;; was_cleared = true) {
    Shadows shadows{open(sequence, 0)};
    const int n_missing = n_text - shadows.front()->active.sequence.n_computed();
    const int n = std::min(n_missing, most_rows);
    if (n <= 0) close(&shadows);
    const int n_run = n <= 0 ? 0 : run(&shadows, n);
    guide.is_read = n_run >= n_missing || guide.has_failed;
    if (guide.is_read || n_run > 0) return n_run;
    CHECK(!was_cleared, "one guide has room");
    kv_.cache.clear();
  }
}

/** Begins again what it could not end before. Returns the rows that were computed. */
int DraftModel::guide_some(std::span<const GuideTask> tasks) {
  Shadows shadows;
  for (const auto& [sequence, n_tokens] : tasks) {
    sequence->guide->begin_step();
    shadows.push_back(open(sequence, n_tokens));
  }
  int n_rows = 0;
  while (!shadows.empty()) n_rows += run(&shadows, decoder_->max_rows());
  return n_rows;
}

/** Those for which there is no room together are asked one by one, and one for which there is none
 * between the pieces of other texts is asked alone: then there is, as it has been admitted. */
void DraftModel::guide(std::span<const GuideTask> tasks) {
  std::vector<GuideTask> left(tasks.begin(), tasks.end());
  const auto is_done = [](const GuideTask& task) {
    const Guide& guide = *task.sequence->guide;
    return guide.has_failed || std::ssize(guide.guesses()) == task.n_tokens;
  };
  bool is_alone = false, was_cleared = false;
  while (!left.empty()) {
    const int n_rows = guide_some(std::span(left).first(is_alone ? 1 : left.size()));
    const bool has_ended = std::erase_if(left, is_done) > 0;
    if (is_alone && n_rows == 0 && !has_ended) {
      CHECK(!was_cleared, "one guide has room");
      kv_.cache.clear();
      was_cleared = true;
    } else {
      is_alone = !has_ended;
      was_cleared = false;
    }
  }
}

}  // namespace cachalot
