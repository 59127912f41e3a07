// A text that the user expects, such as a file before an edit (predicted outputs): it is followed
// as long as it is right, and found again behind a difference.
#pragma once

#include <algorithm>

#include "schedule/speculators/copy.h"

namespace cachalot {

class ExpectedSpeculator final : public Speculator {
 public:
  /** `n_before`: tokens of the sequence before its answer. */
  ExpectedSpeculator(std::vector<int32_t> text, int n_before)
      : text_(std::move(text)), n_seen_(static_cast<size_t>(n_before)) {
    index_.follow(text_);
  }

  void propose(std::span<const int32_t> tokens, GuessTree* tree) override {
    for (; n_seen_ < tokens.size(); n_seen_++) step(tokens.first(n_seen_ + 1));
    if (next_ >= text_.size()) return;
    int node = GuessTree::kNone;
    for (size_t i = next_; i < text_.size(); i++) {
      node = tree->add(node, text_[i], kExpectedText);
      if (node < 0) return;
    }
  }

 private:
  /** Goes on after one more token of the answer. */
  void step(std::span<const int32_t> tokens) {
    if (next_ < text_.size() && text_[next_] == tokens.back()) {
      next_++;
      return;
    }
    const auto match = index_.find(text_, tokens, static_cast<int>(text_.size()));
    if (match.next >= 0) {
      next_ = static_cast<size_t>(match.next);
      return;
    }
    // One token was added, left out or exchanged: look for the last one nearby.
    const size_t end = std::min(text_.size(), next_ + kNear);
    for (size_t i = next_; i < end; i++) {
      if (text_[i] != tokens.back()) continue;
      next_ = i + 1;
      return;
    }
  }

  static constexpr size_t kNear = 8;  // tokens
  std::vector<int32_t> text_;
  NgramIndex index_;
  size_t n_seen_;    // tokens of the sequence
  size_t next_ = 0;  // of the text
};

}  // namespace cachalot
