#include "schedule/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr int kAboveAll = 101;  // a priority
constexpr int kLookahead = 64;  // the most deferred sequences that a step passes over

}  // namespace

bool Scheduler::add(Sequence* sequence) {
  if (slabs_for(sequence->demand.n_compute()) > pool_.n_slabs()) return false;
  waiting_.add(sequence);
  if (sequence->deadline_ms != 0) n_deadlines_++;
  return true;
}

void Scheduler::set_time(int64_t now_ms) {
  now_ms_ = now_ms;
  cache_.set_time(now_ms);
}

std::vector<Sequence*> Scheduler::take_expired() {
  std::vector<Sequence*> expired;
  if (n_deadlines_ == 0) return expired;
  const auto look = [&](Sequence* sequence) {
    if (sequence->deadline_ms != 0 && sequence->deadline_ms <= now_ms_) expired.push_back(sequence);
  };
  for (Sequence* sequence : running_) look(sequence);
  for (auto& [key, sequence] : waiting_) look(sequence);
  for (Sequence* sequence : expired) remove(sequence);
  return expired;
}

PlannedStep Scheduler::plan() {
  make_room();
  PlannedStep planned;
  // Decoding rows first: a long prompt must not delay the next token of the others.
  add_running(&planned, true);
  planned.step.n_decoding = planned.step.n_rows;
  add_running(&planned, false);
  admit_all(&planned);
  return planned;
}

/** Called before a step is planned. Preempts running sequences of lower priority than the first
 * waiting one, if that makes enough room for it. */
void Scheduler::make_room() {
  while (!waiting_.empty()) {
    const Sequence& next = *waiting_.begin()->second;
    Sequence* victim = choose_victim({}, next.priority);
    if (victim == nullptr) return;
    if (admission_.can_admit(running_, {}, next) != Admission::Verdict::kNoRoom) return;
    int could_be_had = 0;
    for (const Sequence* other : running_) {
      if (other->priority < next.priority)
        could_be_had +=
            static_cast<int>(other->leaf->slabs.size()) + admission_.expected_slabs(*other);
    }
    if (could_be_had < admission_.missing_slabs(running_, next)) return;
    preempt(victim);
  }
}

/** Adds rows of the running sequences that decode, or of the others. Preemption may shorten
 * running_. */
void Scheduler::add_running(PlannedStep* planned, bool decoding) {
  std::vector<Sequence*> candidates;
  for (Sequence* sequence : running_) {
    if ((sequence->n_pending() == 1) == decoding) candidates.push_back(sequence);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Sequence* a, const Sequence* b) { return a->priority > b->priority; });
  for (Sequence* sequence : candidates) {
    if (sequence->leaf == nullptr) continue;  // preempted meanwhile
    while (!add_entry(&planned->step, sequence)) {
      Sequence* victim = choose_victim(planned->step, kAboveAll);
      if (victim == sequence) {
        preempt_or_refuse(sequence, &planned->refused);
        break;
      }
      preempt(victim);
    }
  }
}

void Scheduler::admit_all(PlannedStep* planned) {
  const Step& step = planned->step;
  int n_deferred = 0;
  for (auto at = waiting_.begin(); at != waiting_.end() && n_deferred < kLookahead;) {
    const int most = chunk_.rows(step.n_decoding, options_.max_rows) + step.n_decoding;
    if (step.n_rows >= std::min(most, options_.max_rows)) return;
    if (step.n_outputs >= options_.max_outputs) return;
    switch (admission_.can_admit(running_, step, *at->second)) {
      case Admission::Verdict::kAdmit: admit(planned, waiting_.take(&at)); break;
      case Admission::Verdict::kDefer:
        ++at;
        n_deferred++;
        break;
      case Admission::Verdict::kNoRoom: return;
    }
  }
}

void Scheduler::admit(PlannedStep* planned, Sequence* sequence) {
  sequence->leaf = cache_.open(sequence->key, admission_.reusable(*sequence));
  sequence->slabs = context_slabs(sequence->leaf);
  if (sequence->cached_tokens < 0) {
    sequence->cached_tokens = sequence->leaf->end();
    sequence->started = Clock::now();
  }
  running_.push_back(sequence);
  if (!add_entry(&planned->step, sequence)) preempt_or_refuse(sequence, &planned->refused);
}

/** Adds a sequence's rows, or none to a full step. False if there is no memory for them. */
bool Scheduler::add_entry(Step* step, Sequence* sequence) {
  const int first = sequence->n_computed();
  CHECK(sequence->demand.n_compute() > first, "a running sequence has work");
  const int n = n_rows_for(*step, *sequence);
  if (n == 0) return true;
  if (!reserve(sequence, n)) return false;
  const auto tokens =
      std::span(sequence->tokens).subspan(static_cast<size_t>(first), static_cast<size_t>(n));
  StepEntry entry{sequence, TokenTree::path(tokens), step->n_rows, step->n_outputs, {}};
  for (const int32_t index : sequence->demand.wanted_in(first, n))
    entry.output_nodes.push_back(index - first);
  step->n_rows += n;
  step->n_outputs += static_cast<int>(entry.output_nodes.size());
  step->entries.push_back(std::move(entry));
  return true;
}

/** How many rows of the sequence fit into the step, together with their outputs. */
int Scheduler::n_rows_for(const Step& step, const Sequence& sequence) const {
  const int first = sequence.n_computed();
  int room = options_.max_rows - step.n_rows;
  if (sequence.n_pending() > 1) {
    const int most = chunk_.rows(step.n_decoding, options_.max_rows);
    room = std::min(room, most - (step.n_rows - step.n_decoding));
  }
  const int n = std::max(0, std::min(sequence.demand.n_compute() - first, room));
  const auto wanted = sequence.demand.wanted_in(first, n);
  const auto n_outputs = static_cast<size_t>(options_.max_outputs - step.n_outputs);
  return wanted.size() <= n_outputs ? n : wanted[n_outputs] - first;
}

bool Scheduler::reserve(Sequence* sequence, int n) {
  if (!cache_.reserve(sequence->leaf, n)) return false;
  const KvSegment& leaf = *sequence->leaf;
  // The slabs above the leaf never change.
  sequence->slabs.resize(static_cast<size_t>(leaf.begin / kTileTokens));
  sequence->slabs.insert(sequence->slabs.end(), leaf.slabs.begin(), leaf.slabs.end());
  return true;
}

/** Considers sequences below a priority that are not in the step. Chooses the one of the lowest
 * priority whose own KV is cheapest to compute again. The sequence with the most KV keeps it, so
 * one always ends. Null if there is none. */
Sequence* Scheduler::choose_victim(const Step& step, int below_priority) const {
  Sequence* found = nullptr;
  const auto rank = [](const Sequence& sequence) {
    return std::pair(sequence.priority, sequence.leaf->tokens.size());
  };
  for (auto at = running_.rbegin(); at != running_.rend(); ++at) {
    Sequence* sequence = *at;
    if (sequence->priority >= below_priority) continue;
    if (found != nullptr && rank(*sequence) >= rank(*found)) continue;
    const bool is_in_step =
        std::any_of(step.entries.begin(), step.entries.end(),
                    [&](const StepEntry& entry) { return entry.sequence == sequence; });
    if (!is_in_step) found = sequence;
  }
  return found;
}

/** Sends a sequence back to the queue; its KV stays in the tree as cache. */
void Scheduler::preempt(Sequence* sequence) {
  take_out(sequence, false);
  waiting_.add(sequence);
}

/** Called when there is no memory for this sequence now. It waits for the others; if there are
 * none, it can never run. */
void Scheduler::preempt_or_refuse(Sequence* sequence, std::vector<Sequence*>* refused) {
  if (running_.size() > 1) return preempt(sequence);
  remove(sequence);
  refused->push_back(sequence);
}

void Scheduler::remove(Sequence* sequence, bool discard) {
  if (sequence->deadline_ms != 0) n_deadlines_--;
  if (sequence->n_generated() > 0) admission_.learn_length(sequence->n_generated());
  take_out(sequence, discard);
}

/** Takes out a running or waiting sequence: afterwards it is in neither list and holds no KV. */
void Scheduler::take_out(Sequence* sequence, bool discard) {
  if (sequence->leaf == nullptr) {
    const bool was_waiting = waiting_.remove(*sequence);
    CHECK(was_waiting, "a sequence runs, or waits");
    return;
  }
  if (discard) cache_.discard(sequence->leaf);
  else cache_.release(sequence->leaf);
  sequence->leaf = nullptr;
  sequence->slabs.clear();
  running_.remove(sequence);
}

void Scheduler::check_invariants() const {
  for (const Sequence* sequence : running_) {
    CHECK(sequence->leaf != nullptr && sequence->leaf->n_writers == 1,
          "a running sequence writes its leaf");
    CHECK(sequence->slabs == context_slabs(sequence->leaf),
          "a sequence knows the slabs of its context");
    CHECK(sequence->n_computed() <= static_cast<int>(sequence->tokens.size()),
          "nothing is computed but the sequence's tokens");
  }
  for (const auto& [key, sequence] : waiting_)
    CHECK(sequence->leaf == nullptr, "a waiting sequence holds nothing");
  CHECK(cache_.n_writers() == static_cast<int>(running_.size()),
        "every open segment is a running sequence's");
}

}  // namespace cachalot
