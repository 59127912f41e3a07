// The scheduler's part that decides who of those that wait may run.

#include <algorithm>

#include "base/common_prefix.h"
#include "engine/demand.h"
#include "engine/scheduler.h"

namespace cachalot {

namespace {

constexpr int kLookahead = 64;       // waiting sequences that a step considers
constexpr int kUnknownLength = 128;  // tokens of an answer, before any has ended

}  // namespace

/** Before anything is planned: whoever has less priority than the first that waits makes room for
 * it, if that is enough. */
void Scheduler::make_room() {
  while (!waiting_.empty()) {
    const Sequence& next = *waiting_.begin()->second;
    Sequence* victim = cheapest({}, next.request.priority);
    if (victim == nullptr || judge({}, next) != Verdict::kNoRoom) return;
    int could_be_had = 0;
    for (const auto& other : running_) {
      if (other->request.priority < next.request.priority)
        could_be_had += static_cast<int>(other->leaf->runs.size()) + expected_runs(*other);
    }
    if (could_be_had < missing_runs(next)) return;
    waiting_.add(take_out(victim, false));
  }
}

void Scheduler::admit_all(Step* step, std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  int n_deferred = 0;
  for (auto at = waiting_.begin(); at != waiting_.end() && n_deferred < kLookahead;) {
    const int most = chunk_.rows(step->n_decoding, options_.max_rows) + step->n_decoding;
    if (step->n_rows >= std::min(most, options_.max_rows)) return;
    if (step->n_outputs >= options_.max_outputs) return;
    const Sequence& next = *at->second;
    switch (judge(*step, next)) {
      case Verdict::kAdmitted: admit(step, waiting_.take(&at), unserviceable); break;
      case Verdict::kDeferred:
        ++at;
        n_deferred++;
        break;
      case Verdict::kNoRoom: return;
    }
  }
}

/** Tokens that a prompt in progress will leave in the tree, beyond the `stored` ones, are worth
 * waiting for. */
bool Scheduler::is_being_computed(const Sequence& next, int stored) const {
  const auto prompt = reusable(next);
  const auto n_stored = static_cast<size_t>(stored);
  for (const auto& other : running_) {
    if (other->n_pending() <= 1 || other->request.name_space != next.request.name_space) continue;
    const auto n = std::min(prompt.size(), static_cast<size_t>(tokens_to_compute(*other)));
    if (n < n_stored + kTileTokens) continue;
    const int common = common_prefix(prompt.first(n), other->tokens);
    if (common >= stored / kTileTokens * kTileTokens + kTileTokens) return true;
  }
  return false;
}

/** Blocks that a running sequence will probably still ask for. */
int Scheduler::expected_runs(const Sequence& sequence) const {
  const Request& request = sequence.request;
  int generated = 0;
  if (request.kind == RequestKind::kGenerate) {
    const double mean = mean_generated_ == 0 ? kUnknownLength : mean_generated_;
    generated = std::min(request.max_tokens,
                         std::max(static_cast<int>(mean), sequence.n_generated() + kTileTokens));
  }
  const int whole = std::max(tokens_to_compute(sequence), sequence.n_prompt() + generated);
  const auto held = static_cast<int>(sequence.runs.size());
  return std::max(0, std::min(n_runs_for(whole), pool_.n_runs()) - held);
}

std::span<const int32_t> Scheduler::reusable(const Sequence& sequence) const {
  const int n = options_.reuse ? reusable_tokens(sequence) : 0;
  return std::span(sequence.tokens).first(static_cast<size_t>(n));
}

Scheduler::Verdict Scheduler::judge(const Step& step, const Sequence& next) const {
  const int stored = tree_.match(next.request.name_space, reusable(next));
  if (options_.reuse && is_being_computed(next, stored)) return Verdict::kDeferred;
  if (running_.empty() && step.entries.empty()) return Verdict::kAdmitted;
  return missing_runs(next) > 0 ? Verdict::kNoRoom : Verdict::kAdmitted;
}

/** Blocks that it and the running ones will probably need and that cannot be had. */
int Scheduler::missing_runs(const Sequence& next) const {
  const std::string& key = next.request.name_space;
  int needed = expected_runs(next) - tree_.match(key, reusable(next)) / kTileTokens;
  for (const auto& sequence : running_) needed += expected_runs(*sequence);
  return needed - tree_.n_available_beside(key, reusable(next));
}

void Scheduler::admit(Step* step, std::unique_ptr<Sequence> next,
                      std::vector<std::unique_ptr<Sequence>>* unserviceable) {
  Sequence* sequence = next.get();
  sequence->leaf = tree_.open(sequence->request.name_space, reusable(*sequence));
  sequence->runs = context_runs(sequence->leaf);
  if (sequence->cached_tokens < 0) {
    sequence->cached_tokens = sequence->leaf->end();
    sequence->started = Clock::now();
  }
  running_.push_back(std::move(next));
  if (!add_entry(step, sequence)) send_back(sequence, unserviceable);
}

}  // namespace cachalot
