// What one sequence's speculators say together: one tree of guesses, and how often guesses of each
// kind have been right, whether they were tried or not.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "schedule/draft_options.h"
#include "schedule/speculators/speculator.h"

namespace cachalot {

class Drafter {
 public:
  using Speculators = std::vector<std::unique_ptr<Speculator>>;
  explicit Drafter(Speculators speculators) : speculators_(std::move(speculators)) {
    for (const auto& one : speculators_) {
      n_top_ = std::max(n_top_, one->n_top());
      if (filter_ == nullptr) filter_ = one->filter();
    }
  }

  /** What may follow `tokens`, in at most so many nodes. */
  const GuessTree& propose(std::span<const int32_t> tokens, int most_nodes, int most_depth) {
    tree_.begin(rates_, most_nodes, most_depth, filter_);
    for (const auto& one : speculators_) one->propose(tokens, &tree_);
    return tree_;
  }
  const GuessTree& tree() const { return tree_; }
  GuessTree& tree() { return tree_; }
  void forget() { tree_.begin(rates_, 0, 0); }

  /** Learns what the last step has shown. `drawn`: the tokens that came after the known ones;
   * `all`: what the engine has learned from every sequence. */
  void observe(const Verified& step, std::span<const int32_t> drawn, Acceptance* all) {
    int node = GuessTree::kNone;
    for (const int32_t token : drawn) {
      learn(tree_.first_child(node), token, all);
      const int next = tree_.find(node, token);
      if (next < 0) break;
      node = next;
    }
    forget();
    for (const auto& one : speculators_) one->observe(step);
  }

  void end(std::span<const int32_t> text) {
    for (const auto& one : speculators_) one->end(text);
  }
  void begin_as(const Acceptance& all) { rates_ = all.for_sequence(); }
  /** The likeliest tokens that are to be reported of each row. */
  int n_top() const { return rests ? 0 : n_top_; }

  DraftUse use;
  bool rests = false;  // in this step

 private:
  void learn(int child, int32_t token, Acceptance* all) {
    for (; child >= 0; child = tree_.nodes()[static_cast<size_t>(child)].next_sibling) {
      const GuessNode& guess = tree_.nodes()[static_cast<size_t>(child)];
      for (uint8_t kind = 0; kind < kGuessKinds; kind++) {
        if ((guess.kinds >> kind & 1) == 0) continue;
        rates_.learn(kind, guess.token == token);
        all->learn(kind, guess.token == token);
      }
    }
  }

  Speculators speculators_;
  GuessTree tree_;
  Acceptance rates_;
  GuessFilter* filter_ = nullptr;
  int n_top_ = 0;
};

}  // namespace cachalot
