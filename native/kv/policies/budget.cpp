#include "kv/policies/budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace cachalot {

namespace {

constexpr int64_t kMostKeys = int64_t{1} << 29;  // sums of a few are an int
// From the middle layer's budget to the last one's: the paper's beta.
constexpr int kPyramidBeta = 20;
// The part of a head's keys that it has whatever it is worth: Ada-KV's safeguard.
constexpr double kSafeguard = 0.2;
constexpr int kMassSteps = 40;  // of the search: halvings of the part

}  // namespace

Budget::Budget(std::span<const int64_t> options) {
  bool is_sound = options.size() == kOptions;
  if (is_sound) {
    millionths_ = options[0];
    n_keys_ = options[1];
    split_ = static_cast<Split>(options[2]);
    n_first_ = options[3];
    n_last_ = options[4];
    const auto is_in = [](int64_t n, int64_t most) { return n >= 0 && n <= most; };
    is_sound = is_in(millionths_, 1000000) && is_in(n_keys_, kMostKeys) && is_in(options[2], 3) &&
               is_in(n_first_, kMostKeys) && is_in(n_last_, kMostKeys) &&
               (millionths_ > 0) != (n_keys_ > 0);
  }
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected a share or a number of keys, a way to divide them, and how many first "
                "and last keys stay");
}

int Budget::keys(int n_tokens) const {
  const int64_t asked = millionths_ > 0 ? (n_tokens * millionths_ + 500000) / 1000000 : n_keys_;
  return static_cast<int>(std::max({asked, n_first_ + n_last_, int64_t{1}}));
}

Budget Budget::with_last(int n_tokens, double part) const {
  Budget budget = *this;
  budget.n_last_ = std::max(n_last_, static_cast<int64_t>(part * keys(n_tokens)));
  budget.n_first_ = std::min(n_first_, keys(n_tokens) - budget.n_last_);
  return budget;
}

/** A line from the first layer to the last, whose mean is the budget. */
int Budget::of_layer(int layer, int n_layers, int n_tokens) const {
  const int always = static_cast<int>(std::min<int64_t>(n_first_ + n_last_, n_tokens));
  const int mean = keys(n_tokens) - always;
  if (split_ == Split::kUniform || n_layers == 1) return always + mean;
  int least = mean / kPyramidBeta, most = 2 * mean - least;
  if (most > n_tokens - always) {
    most = n_tokens - always;
    least = 2 * mean - most;
  }
  return always + most - ((most - least) * layer + n_layers - 2) / (n_layers - 1);
}

std::vector<int> Budget::divide(const KeySource& source, const KeyWorth& worth) const {
  if (split_ == Split::kMass) return divide_by_mass(source, worth);
  if (split_ == Split::kHeads) return divide_in_layers(source, worth);
  std::vector<int> counts;
  for (int head = 0; head < source.n_heads(); head++) {
    const int n = of_layer(source.layer(head), source.n_layers(), source.n_tokens());
    counts.push_back(std::min(n, source.n_keys(head)));
  }
  return counts;
}

/** Of the best keys of a layer each head has some; it gets as many, less what makes all more alike.
 */
std::vector<int> Budget::divide_in_layers(const KeySource& source, const KeyWorth& worth) const {
  const int always = static_cast<int>(n_first_ + n_last_);
  const int mean = std::max(0, keys(source.n_tokens()) - always);
  std::vector<int> counts(worth.size());
  for (int layer = 0; layer < source.n_layers(); layer++) {
    std::vector<std::pair<float, int>> all;  // what a key is worth, and its head
    int n_heads = 0;
    for (int head = 0; head < source.n_heads(); head++) {
      if (source.layer(head) != layer) continue;
      n_heads++;
      const auto& of_head = worth[static_cast<size_t>(head)];
      const auto end = static_cast<int>(of_head.size() - std::min<size_t>(of_head.size(), n_last_));
      for (int i = static_cast<int>(n_first_); i < end; i++)
        all.emplace_back(of_head[static_cast<size_t>(i)], head);
    }
    const auto n_best = std::min(all.size(), static_cast<size_t>(mean) * n_heads);
    std::ranges::stable_sort(all, std::greater(), [](const auto& one) { return one.first; });
    for (size_t i = 0; i < n_best; i++) counts[static_cast<size_t>(all[i].second)]++;
  }
  for (size_t head = 0; head < counts.size(); head++) {
    const double of_head = (1 - kSafeguard) * counts[head] + kSafeguard * mean;
    counts[head] =
        std::min(always + static_cast<int>(of_head), static_cast<int>(worth[head].size()));
  }
  return counts;
}

/** Searches the largest part of its worth that every head can keep within the budget of all. */
std::vector<int> Budget::divide_by_mass(const KeySource& source, const KeyWorth& worth) const {
  const int64_t most = int64_t{keys(source.n_tokens())} * source.n_heads();
  std::vector<std::vector<double>> sums;  // of the best 1, 2, ... keys of a head
  for (const auto& of_head : worth) {
    std::vector<double> sorted(of_head.begin(), of_head.end());
    std::ranges::sort(sorted, std::greater());
    std::partial_sum(sorted.begin(), sorted.end(), sorted.begin());
    sums.push_back(std::move(sorted));
  }
  const auto counts_at = [&](double part) {
    std::vector<int> counts;
    for (const auto& of_head : sums) {
      const auto n = static_cast<int64_t>(of_head.size());
      int64_t count = n;
      if (n > 0 && part < 1)
        count = std::ranges::lower_bound(of_head, part * of_head.back()) - of_head.begin() + 1;
      counts.push_back(static_cast<int>(std::min(n, std::max(count, n_first_ + n_last_))));
    }
    return counts;
  };
  double low = 0, high = 1;
  for (int i = 0; i < kMassSteps; i++) {
    const double part = (low + high) / 2;
    const auto counts = counts_at(part);
    const bool fits = std::accumulate(counts.begin(), counts.end(), int64_t{0}) <= most;
    (fits ? low : high) = part;
  }
  return counts_at(low);
}

KvEdit keep_best(const KeySource& source, const Budget& budget, const KeyWorth& worth) {
  for (const auto& of_head : worth) {
    if (std::ranges::any_of(of_head, [](float x) { return std::isnan(x); }))
      throw Error(ErrorCode::kNotANumber,
                  "a key of this request's context is worth something that is not a number; the "
                  "model's weights are probably damaged");
  }
  const std::vector<int> counts = budget.divide(source, worth);
  KvEdit edit;
  edit.heads.resize(worth.size());
  for (size_t head = 0; head < worth.size(); head++) {
    const auto n = static_cast<int>(worth[head].size());
    std::vector<int32_t>& keep = edit.heads[head].keep;
    keep.resize(static_cast<size_t>(n));
    std::iota(keep.begin(), keep.end(), 0);
    const auto stays = [&](int key) { return key < budget.first() || key >= n - budget.last(); };
    const auto is_better = [&](int32_t a, int32_t b) {
      if (stays(a) != stays(b)) return stays(a);
      const float x = worth[head][static_cast<size_t>(a)], y = worth[head][static_cast<size_t>(b)];
      return x != y ? x > y : a < b;
    };
    const auto end = keep.begin() + counts[head];
    if (end != keep.end()) std::nth_element(keep.begin(), end, keep.end(), is_better);
    keep.resize(static_cast<size_t>(counts[head]));
    std::ranges::sort(keep);
  }
  return edit;
}

}  // namespace cachalot
