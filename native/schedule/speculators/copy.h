// What followed the last tokens before, in this text or in others (CopySpec, Dumitru et al. 2025).
#pragma once

#include <memory>

#include "schedule/speculators/draft_memory.h"
#include "schedule/speculators/speculator.h"

namespace cachalot {

/** Adds tokens [next, end) of a text as a chain; each is a guess after so many equal tokens. */
inline void add_chain(std::span<const int32_t> text, const NgramIndex::Match& match, GuessKind kind,
                      GuessTree* tree) {
  int node = GuessTree::kNone, length = match.length;
  for (auto i = static_cast<size_t>(match.next); i < text.size() && text[i] >= 0; i++) {
    node = tree->add(node, text[i], graded(kind, grade_of_match(length++)));
    if (node < 0) return;
  }
}

class CopySpeculator final : public Speculator {
 public:
  explicit CopySpeculator(std::shared_ptr<DraftMemory> memory) : memory_(std::move(memory)) {}

  void propose(std::span<const int32_t> tokens, GuessTree* tree) override {
    index_.follow(tokens);
    pairs_.follow(tokens);
    const auto n = static_cast<int>(tokens.size());
    auto own = index_.find(tokens, tokens, n);
    if (own.next < 0) own = pairs_.find(tokens, tokens, n);
    if (own.next >= 0) add_chain(tokens, own, kOwnText, tree);
    const auto other = memory_->find(tokens);
    if (other.next >= 0 && other.length >= own.length)
      add_chain(memory_->text(), other, kOtherText, tree);
  }

  void end(std::span<const int32_t> text) override { memory_->keep(text); }

 private:
  std::shared_ptr<DraftMemory> memory_;
  NgramIndex index_;
  NgramIndex pairs_{2};  // where three tokens are found nowhere
};

}  // namespace cachalot
