// The likeliest tokens after each token, as the model last saw them (Token Recycling, Luo et al.
// 2024): every row that is computed, right or wrong, tells of its own. The paper's tree has one
// shape; here it grows where guesses of this rank have been right.
#pragma once

#include <algorithm>
#include <memory>

#include "schedule/speculators/draft_memory.h"
#include "schedule/speculators/speculator.h"

namespace cachalot {

class RecycleSpeculator final : public Speculator {
 public:
  explicit RecycleSpeculator(std::shared_ptr<DraftMemory> memory) : memory_(std::move(memory)) {}

  int n_top() const override { return DraftMemory::kLikely; }

  void propose(std::span<const int32_t> tokens, GuessTree* tree) override {
    add_children(GuessTree::kNone, tokens.back(), tree);
    // The children of the likeliest nodes first, other speculators' nodes among them.
    for (int done = 0, next = 0; next < tree->size() && done < kMostParents && !tree->is_full();
         next++) {
      const GuessNode& node = tree->nodes()[static_cast<size_t>(next)];
      if (node.value < kLeastValue) continue;
      add_children(next, node.token, tree);
      done++;
    }
  }

  void observe(const Verified& step) override {
    for (const auto rows : {step.right, step.wrong, step.other})
      for (const VerifiedRow& row : rows) learn(row);
  }

 private:
  void add_children(int parent, int32_t token, GuessTree* tree) {
    const DraftMemory::Likely* likely = memory_->likely(token);
    if (likely == nullptr) return;
    const float before = parent < 0 ? 1.0f : tree->nodes()[static_cast<size_t>(parent)].value;
    for (size_t rank = 0; rank < likely->size(); rank++) {
      const uint8_t kind = graded(kRecycled, static_cast<uint8_t>(rank));
      if ((*likely)[rank] < 0 || before * tree->rates().rate(kind) < kLeastValue) return;
      tree->add(parent, (*likely)[rank], kind);
    }
  }

  void learn(const VerifiedRow& row) {
    if (row.top.empty()) return;
    DraftMemory::Likely likely;
    likely.fill(-1);
    for (size_t i = 0; i < std::min(likely.size(), row.top.size()); i++)
      likely[i] = row.top[i].token;
    memory_->set_likely(row.token, likely);
  }

  static constexpr int kMostParents = 16;
  static constexpr float kLeastValue = 0.05f;  // probability of a node that is worth a row
  std::shared_ptr<DraftMemory> memory_;
};

}  // namespace cachalot
