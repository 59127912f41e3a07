#include "schedule/scheduler.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr int kLookahead = 64;  // the most deferred sequences that a step passes over

void sort_by_priority(std::vector<Sequence*>* sequences) {
  const auto priority = [](const Sequence* sequence) { return sequence->priority; };
  const bool is_sorted = std::ranges::is_sorted(*sequences, std::ranges::greater(), priority);
  if (!is_sorted) std::ranges::stable_sort(*sequences, std::ranges::greater(), priority);
}

/** The tokens of the longest text of a preamble, or of one below it. */
int longest_text(const PreambleRef& preamble) {
  std::set<const Preamble*> seen;
  std::vector<const Preamble*> next{preamble.get()};
  int n = 0;
  while (!next.empty()) {
    const Preamble* one = next.back();
    next.pop_back();
    if (one == nullptr || !seen.insert(one).second) continue;
    for (const PreamblePart& part : one->parts) {
      n = std::max(n, static_cast<int>(part.tokens.size()));
      next.push_back(part.under.get());
    }
  }
  return n;
}

}  // namespace

bool Scheduler::add(Sequence* sequence) {
  const int own = std::min(sequence->n_compute(), rows_within_window(*sequence));
  const int most = std::max(own, longest_text(sequence->key.preamble));
  if (static_cast<size_t>(slabs_for(most)) * kv_.pool.slab_bytes() > kv_.pool.bytes()) return false;
  queue(sequence);
  if (sequence->deadline_ms != 0) n_deadlines_++;
  return true;
}

void Scheduler::set_time(int64_t now_ms) {
  now_ms_ = now_ms;
  kv_.cache.set_time(now_ms);
  kv_.preambles.set_time(now_ms);
}

std::vector<Sequence*> Scheduler::take_expired() {
  std::vector<Sequence*> expired;
  if (n_deadlines_ == 0) return expired;
  const auto look = [&](Sequence* sequence) {
    if (sequence->deadline_ms != 0 && sequence->deadline_ms <= now_ms_) expired.push_back(sequence);
  };
  for (Sequence* sequence : running_) look(sequence);
  for (auto& [key, sequence] : waiting_) look(sequence);
  for (auto& [key, sequence] : guides_) look(sequence);
  for (Sequence* sequence : expired) remove(sequence);
  return expired;
}

PlannedStep Scheduler::plan() {
  make_room();
  read_for_guides();
  PlannedStep planned;
  add_running(&planned);
  admit_all(&planned);
  add_drafts(&planned.step);
  return planned;
}

/** Adds rows of the running sequences. Preemption may shorten running_. Decoding rows come first: a
 * long prompt must not delay the next token of the others. */
void Scheduler::add_running(PlannedStep* planned) {
  decoding_.clear();
  prompts_.clear();
  for (Sequence* sequence : running_)
    (sequence->n_pending() == 1 ? decoding_ : prompts_).push_back(sequence);
  sort_by_priority(&decoding_);
  for (Sequence* sequence : decoding_) {
    if (!sequence->is_running) continue;  // preempted meanwhile
    if (sequence->has_text_end()) {
      if (!with_memory(planned, sequence, [&] { return open_text(sequence); })) continue;
      // Its text has ended, and what is left of that must be computed again.
      if (sequence->n_pending() > 1) {
        prompts_.push_back(sequence);
        continue;
      }
    }
    with_memory(planned, sequence, [&] { return add_entry(&planned->step, sequence); });
  }
  planned->step.n_decoding = planned->step.n_rows();
  add_prompts(planned);
}

/** Adds rows of prompts: of the one that came first, of short ones, and of other running ones. */
void Scheduler::add_prompts(PlannedStep* planned) {
  if (prompts_.empty()) return;
  sort_by_priority(&prompts_);
  Step* step = &planned->step;
  const auto add = [&](Sequence* sequence, int most_rows) {
    if (sequence->is_running)
      with_memory(planned, sequence, [&] { return add_entry(step, sequence, most_rows); });
  };
  Sequence* first = prompts_.front();
  add(first, choose_short_prompts(*step));
  for (Sequence* sequence : short_.running) add(sequence, kNoLimit);
  for (Sequence* sequence : short_.waiting) {
    const int64_t expected = admission_.expected_bytes(running_);
    if (admission_.can_admit(running_, expected, *sequence) != Admission::Verdict::kAdmit) continue;
    if (waiting_.remove(*sequence)) admit(planned, sequence);
  }
  for (Sequence* sequence : prompts_)
    if (sequence != first && std::ranges::find(short_.running, sequence) == short_.running.end())
      add(sequence, kNoLimit);
}

void Scheduler::admit_all(PlannedStep* planned) {
  if (waiting_.empty()) return;
  const Step& step = planned->step;
  int64_t expected = admission_.expected_bytes(running_);
  int n_deferred = 0;
  for (auto at = waiting_.begin(); at != waiting_.end() && n_deferred < kLookahead;) {
    if (n_prompt_rows(step, 0) == 0) return;
    if (step.n_outputs() >= options_.max_outputs) return;
    switch (admission_.can_admit(running_, expected, *at->second)) {
      case Admission::Verdict::kAdmit: {
        Sequence* sequence = waiting_.take(&at);
        if (admit(planned, sequence)) expected += admission_.expected_bytes(*sequence);
        break;
      }
      case Admission::Verdict::kDefer:
        ++at;
        n_deferred++;
        break;
      case Admission::Verdict::kNoRoom: return;
    }
  }
}

/** False if there was no memory: it waits again, or was refused. */
bool Scheduler::admit(PlannedStep* planned, Sequence* sequence) {
  if (has_lost_guide(sequence)) {
    forget_guide(sequence);
    queue(sequence);
    return false;
  }
  if (sequence->cached_tokens < 0) {
    // Of a plain text it is known when it is open.
    if (sequence->key.preamble != nullptr) sequence->cached_tokens = admission_.n_stored(*sequence);
    sequence->started = Clock::now();
  }
  sequence->is_running = true;
  running_.push_back(sequence);
  for (;;) {
    const auto has_memory =
        attempt(planned, sequence, [&] { return add_entry(&planned->step, sequence); });
    if (!has_memory) return false;
    if (*has_memory) return true;
    if (free_behind_windows()) continue;
    preempt_or_refuse(sequence, &planned->refused);
    return false;
  }
}

/** Adds rows of a sequence, or none to a full step. False if there is no memory for them. */
bool Scheduler::add_entry(Step* step, Sequence* sequence, int most_rows) {
  if (!open_text(sequence)) return false;
  const int first = sequence->n_computed();
  CHECK(sequence->n_compute() > first, "a running sequence has work");
  const int n = n_rows_for(*step, *sequence, most_rows);
  if (n == 0) return true;
  if (!kv_.cache.reserve(sequence->context->leaf(), n)) return false;
  if (KeptQueries* queries = sequence->queries.get(); queries && first + n > queries->first_row)
    kv_.preambles.signals().make_room(queries);
  sequence->context->update(n);
  const auto tokens =
      sequence->text().tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(n));
  const auto wanted = sequence->wanted_in(first, n);
  if (sequence->n_pending() > 1) step->prompts.add(n, first);
  const int row = step->n_rows();
  step->entries.push_back({sequence, row, n, step->n_outputs(), static_cast<int>(wanted.size())});
  step->tokens.insert(step->tokens.end(), tokens.begin(), tokens.end());
  for (const int32_t index : wanted)
    step->output_rows.push_back(row + index - sequence->text_begin - first);
  return true;
}

void Scheduler::remove(Sequence* sequence, bool discard) {
  if (sequence->deadline_ms != 0) n_deadlines_--;
  if (sequence->n_generated() > 0) admission_.learn_length(sequence->n_generated());
  take_out(sequence, discard);
  if (sequence->guide != nullptr) guides_.forget(*sequence);
}

/** It waits for a place in a step, or before that for its guide. */
void Scheduler::queue(Sequence* sequence) {
  if (sequence->guide != nullptr && !sequence->guide->is_read) guides_.add(sequence);
  else waiting_.add(sequence);
}

/** Takes out a running or waiting sequence: afterwards it is in neither list and holds no KV. */
void Scheduler::take_out(Sequence* sequence, bool discard) {
  if (!sequence->is_running) {
    const bool was_waiting = waiting_.remove(*sequence) || guides_.remove(*sequence);
    CHECK(was_waiting, "a sequence runs, or waits");
    return;
  }
  if (sequence->context) leave_text(sequence, discard);
  leave_preambles(sequence, nullptr);
  sequence->is_running = false;
  running_.remove(sequence);
}

void Scheduler::check_invariants() const {
  int n_writing = 0;
  for (const Sequence* sequence : running_) {
    CHECK(sequence->is_running, "what runs is in the list of what runs");
    if (!sequence->context) continue;  // there was no memory for its preamble
    n_writing++;
    const KvSegment* leaf = sequence->context->leaf();
    CHECK(leaf->n_writers == 1, "a running sequence writes its leaf");
    const auto slabs = context_slabs(leaf);
    const auto is_known = [](uint32_t slab, uint32_t known) {
      return slab == known || slab == kNoSlab;
    };
    CHECK(std::ranges::equal(slabs, sequence->context->slabs(), is_known),
          "a sequence knows the slabs of its context");
    CHECK(sequence->n_pending() >= 0, "nothing is computed but the sequence's tokens");
  }
  const auto check_waiting = [](const Sequence& sequence) {
    CHECK(!sequence.is_running && !sequence.context && sequence.preambles.empty(),
          "a waiting sequence holds nothing");
  };
  for (const auto& [key, sequence] : waiting_) check_waiting(*sequence);
  for (const auto& [key, sequence] : guides_) check_waiting(*sequence);
  CHECK(kv_.cache.n_writers() == n_writing, "every open segment is a running sequence's");
}

}  // namespace cachalot
