// The unfinished items of a batch in their order, each with how many tokens it has in common with
// the next. When an item ends, the KV that it shares with no unfinished item is not needed any more
// (BatchLLM, Zheng et al. 2025: a prefix lives until its last user ends).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace cachalot {

class BatchUsers {
 public:
  /** shared_with_next[i]: tokens that items i and i + 1 have in common. */
  explicit BatchUsers(std::vector<int32_t> shared_with_next)
      : shared_(std::move(shared_with_next)), n_left_(static_cast<int>(shared_.size())) {
    const int n = n_left_;
    next_.resize(shared_.size());
    previous_.resize(shared_.size());
    is_left_.assign(shared_.size(), true);
    for (int i = 0; i < n; i++) {
      next_[static_cast<size_t>(i)] = i + 1 < n ? i + 1 : -1;
      previous_[static_cast<size_t>(i)] = i - 1;
    }
  }

  bool has(int rank) const {
    return rank >= 0 && static_cast<size_t>(rank) < is_left_.size() &&
           is_left_[static_cast<size_t>(rank)];
  }
  bool empty() const { return n_left_ == 0; }

  /** An item ends. Returns how many of its first tokens other items will still read. */
  int finish(int rank) {
    const auto at = static_cast<size_t>(rank);
    const int next = next_[at], previous = previous_[at];
    const int32_t after = next < 0 ? 0 : shared_[at];
    const int32_t before = previous < 0 ? 0 : shared_[static_cast<size_t>(previous)];
    is_left_[at] = false;
    n_left_--;
    if (next >= 0) previous_[static_cast<size_t>(next)] = previous;
    if (previous >= 0) {
      next_[static_cast<size_t>(previous)] = next;
      shared_[static_cast<size_t>(previous)] = std::min(before, after);
    }
    return std::max(before, after);
  }

 private:
  std::vector<int32_t> shared_, next_, previous_;
  std::vector<bool> is_left_;
  int n_left_;
};

}  // namespace cachalot
