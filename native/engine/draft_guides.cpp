// A draft model as a guide: the part of DraftModel that reads what guides read in place of prompts,
// and that draws for every token of theirs. Unlike a guess, this cannot be left out.

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "engine/draft_model.h"

namespace cachalot {

int DraftModel::n_missing(Sequence* sequence) {
  const Sequence& own = shadow_of(sequence)->active.sequence;
  const auto before = std::span(own.tokens).first(own.tokens.size() - 1);
  return static_cast<int>(before.size()) - kv_.cache.match(own.key, before);
}

/** What is stored of its text stays until it ends: not even an emptied cache takes that, or a guide
 * could read for ever. */
void DraftModel::hold(Shadow* shadow) {
  const Sequence& own = shadow->active.sequence;
  KvSegment* leaf = kv_.cache.open(own.key, std::span(own.tokens).first(own.tokens.size() - 1));
  let_go(shadow);
  shadow->held = leaf;
}

void DraftModel::let_go(Shadow* shadow) {
  if (shadow->held != nullptr) kv_.cache.release(std::exchange(shadow->held, nullptr));
}

/** For one guide, when those at work have grown beyond the memory that there is. */
void DraftModel::make_all_room() {
  for (const auto& [id, shadow] : shadows_) let_go(shadow.get());
  kv_.cache.clear();
}

/** The last token is read when the guide draws. */
int DraftModel::read(Sequence* sequence, int most_rows) {
  Guide& guide = *sequence->guide;
  int n_run = 0;
  try {
    for (bool was_cleared = false;; was_cleared = true) {
      Shadows shadows{open(sequence, 0)};
      const int n_missing = shadows.front()->active.sequence.n_pending() - 1;
      const int n = std::min(n_missing, most_rows);
      if (n <= 0) close(&shadows);
      n_run = n <= 0 ? 0 : run(&shadows, n);
      guide.is_read = n_run >= n_missing || guide.failure;
      if (guide.is_read || n_run > 0) {
        hold(shadow_of(sequence));
        return n_run;
      }
      CHECK(!was_cleared, "one guide has room");
      make_all_room();
    }
  } catch (const std::bad_alloc&) {
    abandon();
    guide.failure = out_of_memory();
    guide.is_read = true;  // its sequence is told when it draws
  }
  return n_run;
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
    return guide.failure.has_value() || guide.has_ended ||
           std::ssize(guide.guesses()) == task.n_tokens;
  };
  try {
    bool is_alone = false, was_cleared = false;
    while (!left.empty()) {
      const int n_rows = guide_some(std::span(left).first(is_alone ? 1 : left.size()));
      const bool has_ended = std::erase_if(left, is_done) > 0;
      if (is_alone && n_rows == 0 && !has_ended) {
        CHECK(!was_cleared, "one guide has room");
        make_all_room();
        was_cleared = true;
      } else {
        is_alone = !has_ended;
        was_cleared = false;
      }
    }
  } catch (const std::bad_alloc&) {
    abandon();
    for (const GuideTask& task : left)
      if (!is_done(task)) task.sequence->guide->failure = out_of_memory();
  }
}

}  // namespace cachalot
