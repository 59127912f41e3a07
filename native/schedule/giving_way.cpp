// Who gives way when KV memory runs short, and what becomes of a sequence that cannot have it: the
// part of Scheduler that takes memory from one and gives it to another.

#include <algorithm>

#include "schedule/scheduler.h"

namespace cachalot {

namespace {

constexpr int kAboveAll = 101;  // a priority

/** The tokens that a running sequence would perhaps have to compute again: those that it writes,
 * and those of the preambles that it holds. */
size_t n_own_tokens(const Sequence& sequence) {
  size_t n = sequence.context ? sequence.context->leaf()->tokens.size() : 0;
  for (const HeldPreamble* held : sequence.preambles) n += held->n_tokens();
  return n;
}

/** Slabs that may come back when a running sequence is preempted. */
int64_t own_bytes(const Sequence& sequence, const KvPool& pool) {
  const KvSegment* leaf = sequence.context ? sequence.context->leaf() : nullptr;
  size_t n_slabs = leaf == nullptr ? 0 : leaf->slabs.size() - (leaf->hole_end - leaf->hole_begin);
  for (const HeldPreamble* held : sequence.preambles) n_slabs += slabs_for(held->n_tokens());
  return static_cast<int64_t>(n_slabs * pool.slab_bytes());
}

/** Whether an error is of one request, and the others may go on. */
bool ends_one_request(ErrorCode code) {
  return code == ErrorCode::kNotANumber || code == ErrorCode::kOutOfMemory;
}

}  // namespace

/** Tries something that memory is needed for. Nothing if it failed: then the sequence has left. */
std::optional<bool> Scheduler::attempt(PlannedStep* planned, Sequence* sequence, const Try& what) {
  try {
    return what();
  } catch (const Error& error) {
    if (!ends_one_request(error.code())) throw;
    remove(sequence);
    planned->refused.push_back({sequence, error});
    return std::nullopt;
  }
}

/** Called before a step is planned. Preempts running sequences of lower priority than the first
 * waiting one, if that makes enough room for it. */
void Scheduler::make_room() {
  while (!waiting_.empty()) {
    const Sequence& next = *waiting_.begin()->second;
    Sequence* victim = choose_victim({}, next.priority);
    if (victim == nullptr) return;
    const int64_t expected = admission_.expected_bytes(running_);
    if (admission_.can_admit(running_, expected, next) != Admission::Verdict::kNoRoom) return;
    int64_t could_be_had = 0;
    for (const Sequence* other : running_) {
      if (other->priority < next.priority)
        could_be_had += own_bytes(*other, kv_.pool) + admission_.expected_bytes(*other);
    }
    if (could_be_had < admission_.missing_bytes(expected, next)) return;
    preempt(victim);
  }
}

/** Tries something for a running sequence until there is memory for it, which others lose. False if
 * the sequence itself had to give way. */
bool Scheduler::with_memory(PlannedStep* planned, Sequence* sequence, const Try& what) {
  for (;;) {
    const auto has_memory = attempt(planned, sequence, what);
    if (!has_memory) return false;
    if (*has_memory) return true;
    if (free_behind_windows()) continue;
    Sequence* victim = choose_victim(planned->step, kAboveAll);
    if (victim == sequence) {
      preempt_or_refuse(sequence, &planned->refused);
      return false;
    }
    preempt(victim);
  }
}

/** Considers sequences below a priority that are not in the step. Chooses the one of the lowest
 * priority whose own KV is cheapest to compute again. The sequence with the most KV keeps it, so
 * one always ends. Null if there is none. */
Sequence* Scheduler::choose_victim(const Step& step, int below_priority) const {
  Sequence* found = nullptr;
  const auto rank = [&](const Sequence& sequence) {
    return std::pair(sequence.priority, n_own_tokens(sequence));
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
  sequence->queries.reset();
  queue(sequence);
}

/** Called when there is no memory for this sequence now. It waits for the others; if there are
 * none, it can never run. */
void Scheduler::preempt_or_refuse(Sequence* sequence, std::vector<RefusedSequence>* refused) {
  if (running_.size() > 1) return preempt(sequence);
  remove(sequence);
  refused->push_back({sequence, std::nullopt});
}

}  // namespace cachalot
