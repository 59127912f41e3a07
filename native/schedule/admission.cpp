#include "schedule/admission.h"

#include <algorithm>

#include "base/common_prefix.h"

namespace cachalot {

namespace {

constexpr int kUnknownLength = 128;  // tokens of an answer, before any has ended
constexpr double kMeanRate = 0.05;   // of the mean length of answers

}  // namespace

Admission::Verdict Admission::can_admit(const RunningSequences& running, const Step& step,
                                        const Sequence& next) const {
  const int n_stored = cache_.match(next.key, reusable(next));
  if (reuse_ && is_being_computed(running, next, n_stored)) return Verdict::kDefer;
  if (running.empty() && step.entries.empty()) return Verdict::kAdmit;
  return missing_slabs(running, next) > 0 ? Verdict::kNoRoom : Verdict::kAdmit;
}

std::span<const int32_t> Admission::reusable(const Sequence& sequence) const {
  const int n = reuse_ ? sequence.demand.n_reusable() : 0;
  return std::span(sequence.tokens).first(static_cast<size_t>(n));
}

/** Whether a running prompt will add at least a slab of tokens to the tree that `next` shares,
 * beyond the n_stored that are there. If `next` waits for them, equal text is computed once. */
bool Admission::is_being_computed(const RunningSequences& running, const Sequence& next,
                                  int n_stored) const {
  const auto prompt = reusable(next);
  for (const Sequence* other : running) {
    if (other->n_pending() <= 1 || other->key != next.key) continue;
    const auto n = std::min(prompt.size(), static_cast<size_t>(other->demand.n_compute()));
    if (n < static_cast<size_t>(n_stored + kTileTokens)) continue;
    if (common_prefix(prompt.first(n), other->tokens) >= whole_slab_tokens(n_stored) + kTileTokens)
      return true;
  }
  return false;
}

int Admission::expected_slabs(const Sequence& sequence) const {
  const double mean = mean_generated_ == 0 ? kUnknownLength : mean_generated_;
  const int n_generated =
      std::min(sequence.demand.max_tokens(),
               std::max(static_cast<int>(mean), sequence.n_generated() + kTileTokens));
  const int n_tokens = std::max(sequence.demand.n_compute(), sequence.n_prompt + n_generated);
  const auto n_held = static_cast<int>(sequence.slabs.size());
  return std::max(0, std::min(slabs_for(n_tokens), pool_.n_slabs()) - n_held);
}

int Admission::missing_slabs(const RunningSequences& running, const Sequence& next) const {
  int needed = expected_slabs(next) - cache_.match(next.key, reusable(next)) / kTileTokens;
  for (const Sequence* sequence : running) needed += expected_slabs(*sequence);
  return needed - cache_.n_available_beside(next.key, reusable(next));
}

void Admission::learn_length(int n_generated) {
  const double n = n_generated;
  mean_generated_ = mean_generated_ == 0 ? n : mean_generated_ + kMeanRate * (n - mean_generated_);
}

}  // namespace cachalot
