#include "engine/scheduler.h"

#include <algorithm>

#include "base/check.h"

namespace cachalot {

namespace {

/** Tokens of the prompt that may come from the tree: rows whose outputs are wanted must be
 * computed. */
int reusable_tokens(const Sequence& sequence) {
  switch (sequence.request.kind) {
    case RequestKind::kGenerate:
    case RequestKind::kPrefill: return static_cast<int>(sequence.tokens.size()) - 1;
    case RequestKind::kScore: return sequence.n_outputs;
    case RequestKind::kLogits:
      return sequence.request.rows[static_cast<size_t>(sequence.n_outputs)];
  }
  return 0;
}

/** Tokens that are wanted before the request can end; the last of a scored text is never computed.
 */
int tokens_to_compute(const Sequence& sequence) {
  switch (sequence.request.kind) {
    case RequestKind::kGenerate:
    case RequestKind::kPrefill: return static_cast<int>(sequence.tokens.size());
    case RequestKind::kScore: return sequence.n_prompt() - 1;
    case RequestKind::kLogits: return sequence.request.rows.back() + 1;
  }
  return 0;
}

bool wants_output(const Sequence& sequence, int index) {
  switch (sequence.request.kind) {
    case RequestKind::kPrefill: return false;
    case RequestKind::kGenerate: return index + 1 == static_cast<int>(sequence.tokens.size());
    case RequestKind::kScore: return index >= sequence.n_outputs;
    case RequestKind::kLogits: {
      // Rows already delivered may be computed again, after a preemption; they are not wanted
      // twice.
      const auto& rows = sequence.request.rows;
      return std::binary_search(rows.begin() + sequence.n_outputs, rows.end(), index);
    }
  }
  return false;
}

int runs_for(int n_tokens) { return (n_tokens + kTileTokens - 1) / kTileTokens; }

}  // namespace

Sequence* Scheduler::find(uint64_t id) {
  for (auto& sequence : running_) {
    if (sequence->request.id == id) return sequence.get();
  }
  for (auto& sequence : waiting_) {
    if (sequence->request.id == id) return sequence.get();
  }
  return nullptr;
}

Step Scheduler::plan(std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  Step step;
  // Decoding rows first: a long prompt must not delay the next token of the others. Preemption may
  // shorten running_.
  for (const bool decoding : {true, false}) {
    std::vector<Sequence*> candidates;
    for (auto& sequence : running_) {
      if ((sequence->n_pending() == 1) == decoding) candidates.push_back(sequence.get());
    }
    for (Sequence* sequence : candidates) {
      if (sequence->leaf == nullptr) continue;  // preempted meanwhile
      while (!add_entry(&step, sequence)) {
        if (preempt_last(step, sequence)) continue;
        send_back(sequence, unserviceable);
        break;
      }
    }
  }
  while (!waiting_.empty() && admit(&step, unserviceable)) {
  }
  return step;
}

/** False if there is no memory for its rows. A full step leaves it out. */
bool Scheduler::add_entry(Step* step, Sequence* sequence) {
  CHECK(tokens_to_compute(*sequence) > sequence->n_computed(), "a running sequence has work");
  const int n = wanted_rows(*step, *sequence);
  if (n == 0) return true;
  if (!reserve(sequence, n)) return false;
  const auto first = static_cast<size_t>(sequence->n_computed());
  StepEntry entry{
      sequence,
      TokenTree::path(std::span(sequence->tokens).subspan(first, static_cast<size_t>(n))),
      step->n_rows,
      {}};
  add_outputs(step, &entry);
  step->n_rows += n;
  step->entries.push_back(std::move(entry));
  return true;
}

int Scheduler::wanted_rows(const Step& step, const Sequence& sequence) const {
  const int first = sequence.n_computed();
  int n = std::min(tokens_to_compute(sequence) - first, options_.max_rows - step.n_rows);
  int outputs = options_.max_outputs - step.n_outputs;
  for (int i = 0; i < n; i++) {
    if (wants_output(sequence, first + i) && outputs-- == 0) return i;
  }
  return std::max(n, 0);
}

void Scheduler::add_outputs(Step* step, StepEntry* entry) const {
  const int first = entry->sequence->n_computed();
  for (int i = 0; i < entry->tree.size(); i++) {
    if (wants_output(*entry->sequence, first + i)) entry->output_nodes.push_back(i);
  }
  step->n_outputs += static_cast<int>(entry->output_nodes.size());
}

bool Scheduler::reserve(Sequence* sequence, int n) {
  if (!tree_.reserve(sequence->leaf, n)) return false;
  const KvSegment& leaf = *sequence->leaf;
  sequence->runs.resize(
      static_cast<size_t>(leaf.begin / kTileTokens));  // the part above the leaf never changes
  sequence->runs.insert(sequence->runs.end(), leaf.runs.begin(), leaf.runs.end());
  return true;
}

/** Sends the sequence that began last back to the queue, unless it is in the step already. */
bool Scheduler::preempt_last(const Step& step, const Sequence* except) {
  for (auto victim = running_.rbegin(); victim != running_.rend(); ++victim) {
    Sequence* sequence = victim->get();
    const bool in_step =
        std::any_of(step.entries.begin(), step.entries.end(),
                    [&](const StepEntry& entry) { return entry.sequence == sequence; });
    if (sequence == except || in_step) continue;
    waiting_.push_front(remove(sequence));
    return true;
  }
  return false;
}

/** No memory for this sequence now: it waits for the others, or fails if there are none. */
void Scheduler::send_back(Sequence* sequence,
                          std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  const bool alone = running_.size() == 1;
  auto removed = remove(sequence);
  if (alone) unserviceable->push_back(std::move(removed));
  else waiting_.push_front(std::move(removed));
}

void Scheduler::close(Sequence* sequence, bool discard) {
  if (sequence->leaf == nullptr) return;
  if (discard) tree_.discard(sequence->leaf);
  else tree_.release(sequence->leaf);
  sequence->leaf = nullptr;
  sequence->runs.clear();
}

void Scheduler::check_invariants() const {
  for (const auto& sequence : running_) {
    CHECK(sequence->leaf != nullptr && sequence->leaf->n_writers == 1,
          "a running sequence writes its leaf");
    CHECK(sequence->runs == context_runs(sequence->leaf),
          "a sequence knows the runs of its context");
    CHECK(sequence->n_computed() <= static_cast<int>(sequence->tokens.size()),
          "nothing is computed but the sequence's tokens");
  }
  for (const auto& sequence : waiting_) CHECK(sequence->leaf == nullptr, "who waits holds nothing");
  CHECK(tree_.n_writers() == static_cast<int>(running_.size()),
        "every open segment is a running sequence's");
}

std::vector<std::unique_ptr<Sequence>> Scheduler::abandon() {
  std::vector<std::unique_ptr<Sequence>> all;
  for (auto& sequence : running_) all.push_back(std::move(sequence));
  for (auto& sequence : waiting_) all.push_back(std::move(sequence));
  running_.clear();
  waiting_.clear();
  abandoned_ = true;
  return all;
}

std::unique_ptr<Sequence> Scheduler::remove(Sequence* sequence, bool discard) {
  close(sequence, discard);
  const auto is_it = [&](const auto& other) { return other.get() == sequence; };
  std::unique_ptr<Sequence> removed;
  if (const auto found = std::find_if(running_.begin(), running_.end(), is_it);
      found != running_.end()) {
    removed = std::move(*found);
    running_.erase(found);
  } else if (const auto queued = std::find_if(waiting_.begin(), waiting_.end(), is_it);
             queued != waiting_.end()) {
    removed = std::move(*queued);
    waiting_.erase(queued);
  }
  CHECK(removed != nullptr, "the scheduler owns the sequence");
  return removed;
}

/** Starts the first waiting sequence if rows and memory allow; true if another one may be tried. */
bool Scheduler::admit(Step* step, std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  Sequence& next = *waiting_.front();
  if (step->n_rows >= options_.max_rows || step->n_outputs >= options_.max_outputs) return false;
  const int needed = runs_for(tokens_to_compute(next));
  if (needed > pool_.n_runs()) {
    unserviceable->push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    return true;
  }
  const auto reusable = std::span(next.tokens).first(static_cast<size_t>(reusable_tokens(next)));
  const int shared = tree_.match(next.request.name_space, reusable) / kTileTokens;
  // Leave room for the running ones to grow by a block each: else they would only preempt it again.
  if (!running_.empty() && needed - shared + static_cast<int>(running_.size()) >
                               tree_.n_available_beside(next.request.name_space, reusable))
    return false;
  next.leaf = tree_.open(next.request.name_space, reusable);
  next.runs = context_runs(next.leaf);
  if (next.cached_tokens < 0) {
    next.cached_tokens = next.leaf->end();
    next.started = Clock::now();
  }
  running_.push_back(std::move(waiting_.front()));
  waiting_.pop_front();
  if (add_entry(step, &next)) return true;
  send_back(&next, unserviceable);
  return false;
}

}  // namespace cachalot
