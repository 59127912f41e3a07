#include "schedule/order_prompts.h"

#include <algorithm>
#include <numeric>

#include "backend/arithmetic.h"
#include "base/common_prefix.h"

namespace cachalot {

namespace {

/** Sorted prompts [first, end) that share at least a block, and how much they generate. */
struct Cluster {
  size_t first, end;
  double ratio;  // tokens to generate per token to compute
};

class Orderer {
 public:
  Orderer(const std::vector<std::vector<int32_t>>& prompts, const std::vector<int32_t>& max_tokens)
      : prompts_(prompts), max_tokens_(max_tokens) {}

  BatchOrder order() {
    sort();
    result_.order.reserve(sorted_.size());
    arrange(0, sorted_.size(), 0);
    result_.shared_with_next.assign(sorted_.size(), 0);
    for (size_t i = 0; i + 1 < sorted_.size(); i++)
      result_.shared_with_next[i] =
          common_prefix(prompt(result_.order[i]), prompt(result_.order[i + 1]));
    return std::move(result_);
  }

 private:
  const std::vector<int32_t>& prompt(int32_t i) const { return prompts_[static_cast<size_t>(i)]; }

  void sort() {
    sorted_.resize(prompts_.size());
    std::iota(sorted_.begin(), sorted_.end(), 0);
    std::sort(sorted_.begin(), sorted_.end(), [&](int32_t a, int32_t b) {
      const int order = prompt(a) < prompt(b) ? -1 : prompt(b) < prompt(a) ? 1 : 0;
      return order != 0 ? order < 0 : a < b;
    });
    common_.assign(sorted_.size(), 0);  // with the one before
    for (size_t i = 0; i < sorted_.size(); i++) {
      if (i > 0) common_[i] = common_prefix(prompt(sorted_[i - 1]), prompt(sorted_[i]));
      result_.distinct_tokens += static_cast<int64_t>(prompt(sorted_[i]).size()) - common_[i];
    }
  }

  /** Puts the prompts of ranks [first, end), which have `depth` tokens in common, into their order.
   */
  void arrange(size_t first, size_t end, int32_t depth) {
    // No recursion: it could become as deep as a text has blocks.
    struct Task {
      size_t first, end;
      int32_t depth;
    };
    std::vector<Task> tasks{{first, end, depth}};
    while (!tasks.empty()) {
      const Task task = tasks.back();
      tasks.pop_back();
      if (task.end - task.first == 1) {
        result_.order.push_back(sorted_[task.first]);
        continue;
      }
      auto clusters = divide(task.first, task.end, task.depth);
      if (clusters.size() == 1) {  // all share more: go on at the least that neighbours share
        const auto least =
            *std::min_element(common_.begin() + static_cast<std::ptrdiff_t>(task.first) + 1,
                              common_.begin() + static_cast<std::ptrdiff_t>(task.end));
        tasks.push_back({task.first, task.end, std::max(least, task.depth + kTileTokens)});
        continue;
      }
      std::stable_sort(clusters.begin(), clusters.end(),
                       [](const Cluster& a, const Cluster& b) { return a.ratio > b.ratio; });
      for (auto cluster = clusters.rbegin(); cluster != clusters.rend();
           ++cluster)  // a stack: last first
        tasks.push_back({cluster->first, cluster->end, task.depth + kTileTokens});
    }
  }

  /** A cluster ends where neighbours share less than a block beyond `depth`. */
  std::vector<Cluster> divide(size_t first, size_t end, int32_t depth) const {
    std::vector<Cluster> clusters;
    double generated = 0, computed = 0;
    size_t begin = first;
    for (size_t i = first; i < end; i++) {
      const auto own = static_cast<int32_t>(prompt(sorted_[i]).size());
      generated += max_tokens_[static_cast<size_t>(sorted_[i])];
      computed += own - (i == begin ? std::min(depth, own) : common_[i]);
      if (i + 1 < end && common_[i + 1] >= depth + kTileTokens) continue;
      clusters.push_back({begin, i + 1, generated / std::max(1.0, computed)});
      begin = i + 1;
      generated = computed = 0;
    }
    return clusters;
  }

  const std::vector<std::vector<int32_t>>& prompts_;
  const std::vector<int32_t>& max_tokens_;
  std::vector<int32_t> sorted_, common_;
  BatchOrder result_;
};

}  // namespace

BatchOrder order_prompts(const std::vector<std::vector<int32_t>>& prompts,
                         const std::vector<int32_t>& max_tokens) {
  return Orderer(prompts, max_tokens).order();
}

}  // namespace cachalot
