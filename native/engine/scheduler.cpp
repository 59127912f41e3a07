#include "engine/scheduler.h"

#include <algorithm>

#include "base/check.h"
#include "engine/demand.h"

namespace cachalot {

namespace {

constexpr double kMeanRate = 0.05;  // of the mean length of answers
constexpr int kAboveAll = 101;      // a priority

}  // namespace

bool Scheduler::add(std::unique_ptr<Sequence>& sequence) {
  if (n_runs_for(tokens_to_compute(*sequence)) > pool_.n_runs()) return false;
  const Request& request = sequence->request;
  if (request.batch == 0) sequence->order = reserve_order(1);
  const bool has_deadline = sequence->deadline_ms != 0;
  waiting_.add(std::move(sequence));
  if (has_deadline) n_deadlines_++;
  return true;
}

Sequence* Scheduler::find(uint64_t id) {
  for (auto& sequence : running_) {
    if (sequence->request.id == id) return sequence.get();
  }
  for (auto& [key, sequence] : waiting_) {
    if (sequence->request.id == id) return sequence.get();
  }
  return nullptr;
}

void Scheduler::set_time(int64_t now_ms) {
  now_ms_ = now_ms;
  tree_.set_time(now_ms);
}

std::vector<std::unique_ptr<Sequence>> Scheduler::take_expired() {
  std::vector<Sequence*> late;
  const auto look = [&](Sequence* sequence) {
    if (sequence->deadline_ms != 0 && sequence->deadline_ms <= now_ms_) late.push_back(sequence);
  };
  if (n_deadlines_ > 0) {
    for (auto& sequence : running_) look(sequence.get());
    for (auto& [key, sequence] : waiting_) look(sequence.get());
  }
  std::vector<std::unique_ptr<Sequence>> taken;
  for (Sequence* sequence : late) taken.push_back(remove(sequence));
  return taken;
}

Step Scheduler::plan(std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  make_room();
  Step step;
  // Decoding rows first: a long prompt must not delay the next token of the others. Preemption may
  // shorten running_.
  for (const bool decoding : {true, false}) {
    std::vector<Sequence*> candidates;
    for (auto& sequence : running_) {
      if ((sequence->n_pending() == 1) == decoding) candidates.push_back(sequence.get());
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Sequence* a, const Sequence* b) {
                       return a->request.priority > b->request.priority;
                     });
    for (Sequence* sequence : candidates) {
      if (sequence->leaf == nullptr) continue;  // preempted meanwhile
      while (!add_entry(&step, sequence)) {
        Sequence* victim = cheapest(step, kAboveAll);
        if (victim == sequence) {
          send_back(sequence, unserviceable);
          break;
        }
        waiting_.add(take_out(victim, false));
      }
    }
    if (decoding) step.n_decoding = step.n_rows;
  }
  admit_all(&step, unserviceable);
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
  int room = options_.max_rows - step.n_rows;
  if (sequence.n_pending() > 1) {
    const int most = chunk_.rows(step.n_decoding, options_.max_rows);
    room = std::min(room, most - (step.n_rows - step.n_decoding));
  }
  const int n = std::min(tokens_to_compute(sequence) - first, room);
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

/** Of those that are not in the step, below a priority: whose own KV takes least to compute again.
 * The one that has most keeps it, so somebody always ends. Null: there is none. */
Sequence* Scheduler::cheapest(const Step& step, int below_priority) const {
  Sequence* found = nullptr;
  const auto rank = [](const Sequence& sequence) {
    return std::pair(sequence.request.priority, sequence.leaf->tokens.size());
  };
  for (auto at = running_.rbegin(); at != running_.rend(); ++at) {
    Sequence* sequence = at->get();
    if (sequence->request.priority >= below_priority) continue;
    if (found != nullptr && rank(*sequence) >= rank(*found)) continue;
    const bool in_step =
        std::any_of(step.entries.begin(), step.entries.end(),
                    [&](const StepEntry& entry) { return entry.sequence == sequence; });
    if (!in_step) found = sequence;
  }
  return found;
}

/** No memory for this sequence now: it waits for the others, or fails if there are none. */
void Scheduler::send_back(Sequence* sequence,
                          std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  if (running_.size() == 1) unserviceable->push_back(remove(sequence));
  else waiting_.add(take_out(sequence, false));
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
  for (const auto& [key, sequence] : waiting_)
    CHECK(sequence->leaf == nullptr, "who waits holds nothing");
  CHECK(tree_.n_writers() == static_cast<int>(running_.size()),
        "every open segment is a running sequence's");
}

std::unique_ptr<Sequence> Scheduler::remove(Sequence* sequence, bool discard) {
  if (sequence->deadline_ms != 0) n_deadlines_--;
  if (sequence->n_generated() > 0) {
    const double n = sequence->n_generated();
    mean_generated_ =
        mean_generated_ == 0 ? n : mean_generated_ + kMeanRate * (n - mean_generated_);
  }
  return take_out(sequence, discard);
}

std::unique_ptr<Sequence> Scheduler::take_out(Sequence* sequence, bool discard) {
  close(sequence, discard);
  for (auto at = running_.begin(); at != running_.end(); ++at) {
    if (at->get() != sequence) continue;
    auto taken = std::move(*at);
    running_.erase(at);
    return taken;
  }
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (at->second.get() == sequence) return waiting_.take(&at);
  }
  CHECK(false, "the scheduler owns the sequence");
  return nullptr;
}

}  // namespace cachalot
