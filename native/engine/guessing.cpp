// What speculators learn: the part of EngineLoop that tells them what a step has shown.

#include <algorithm>
#include <new>
#include <vector>

#include "engine/loop.h"

namespace cachalot {

namespace {

/** The rows of an entry and its draft, as its speculators see them. */
class Rows {
 public:
  Rows(const Step& step, const StepEntry& entry, const StepDraft* draft, const Samples& samples)
      : step_(step), entry_(entry), draft_(draft), samples_(samples) {}

  /** Of a node of the draft; -1: the entry's last row. */
  VerifiedRow at(int node) const {
    const auto output = static_cast<size_t>(draft_ == nullptr ? entry_.first_output
                                                              : draft_->output_of(node, entry_));
    const int row = node < 0 ? entry_.first_row + entry_.n_rows - 1 : draft_->first_row + node;
    const auto n_top = static_cast<size_t>(entry_.sequence->drafter->n_top());
    std::span<const SampledToken> top;
    if (n_top > 0 && !samples_.top.empty())
      top = std::span(samples_.top).subspan(output * kMaxTopTokens, n_top);
    return {step_.tokens[static_cast<size_t>(row)], samples_.tokens[output].token, top};
  }

 private:
  const Step& step_;
  const StepEntry& entry_;
  const StepDraft* draft_;
  const Samples& samples_;
};

/** The nodes that follow a right one on its way, and those that are on no such way. */
void split_wrong(const StepDraft& draft, std::span<const int> right, std::vector<int>* wrong,
                 std::vector<int>* other) {
  for (const DraftPath& path : draft.paths) {
    const auto n = std::min(path.nodes.size(), right.size());
    if (n < right.size() || !std::ranges::equal(right, std::span(path.nodes).first(n))) continue;
    wrong->assign(path.nodes.begin() + static_cast<std::ptrdiff_t>(n), path.nodes.end());
    break;
  }
  for (int node = 0; node < draft.tree.size(); node++)
    if (std::ranges::find(right, node) == right.end() &&
        std::ranges::find(*wrong, node) == wrong->end())
      other->push_back(node);
}

}  // namespace

/** `node`: the last guess that was right; `n_before`: tokens that were known before the step. What
 * speculators cannot learn for want of memory costs nobody an answer. */
void EngineLoop::tell_drafter(const Step& step, const StepEntry& entry, const StepDraft* draft,
                              int node, size_t n_before, const Samples& samples) noexcept {
  Sequence& sequence = *entry.sequence;
  if (sequence.drafter == nullptr || sequence.tokens.size() == n_before) return;
  try {
    std::vector<int> right, wrong, other;
    if (draft != nullptr) {
      right = draft->tree.path_to(node);
      split_wrong(*draft, right, &wrong, &other);
      counters_.drafted += static_cast<uint64_t>(draft->tree.size());
      counters_.accepted += right.size();
    }
    right.insert(right.begin(), -1);
    const Rows rows(step, entry, draft, samples);
    const auto verified = [&](std::span<const int> nodes) {
      std::vector<VerifiedRow> list;
      for (const int one : nodes) list.push_back(rows.at(one));
      return list;
    };
    const auto known = verified(right), after = verified(wrong), beside = verified(other);
    scheduler_.observe(&sequence, {known, after, beside},
                       std::span(sequence.tokens).subspan(n_before));
  } catch (const std::bad_alloc&) {
    sequence.drafter->forget();
  }
}

/** Later sequences may copy what was new in this one. */
void EngineLoop::end_drafter(Sequence* sequence) noexcept {
  if (sequence->drafter == nullptr && sequence->guide == nullptr) return;
  scheduler_.forget_guesses(sequence->id);
  if (sequence->drafter == nullptr) return;
  const auto n_known =
      std::min(sequence->tokens.size(), static_cast<size_t>(std::max(0, sequence->cached_tokens)));
  try {
    sequence->drafter->end(std::span(sequence->tokens).subspan(n_known));
  } catch (const std::bad_alloc&) {  // they will not, then
  }
}

}  // namespace cachalot
