#include "kv/policies/razor.h"

#include <algorithm>
#include <numeric>

#include "kv/policies/numbers.h"

namespace cachalot {

namespace {

constexpr size_t kOptions = 3;               // before those of the heads
constexpr int64_t kMost = int64_t{1} << 29;  // sums of a few are an int

}  // namespace

RazorPolicy::RazorPolicy(const EditRecipe& recipe, int n_heads) {
  const auto& options = recipe.options;
  check_profile(recipe, kOptions, n_heads);
  bool is_sound = options.size() == kOptions + static_cast<size_t>(n_heads);
  is_sound = is_sound && options[0] >= 0 && options[0] <= kMost && options[1] >= 0 &&
             options[1] <= kMost && options[2] >= 1 && options[2] <= kMost;
  for (size_t i = kOptions; is_sound && i < options.size(); i++)
    is_sound = options[i] == 0 || options[i] == 1;
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected first and last keys, a divisor, and 0 or 1 for each KV head, for the "
                "policy 'razor'");
  n_first_ = static_cast<int>(options[0]);
  least_last_ = static_cast<int>(options[1]);
  divisor_ = static_cast<int>(options[2]);
  is_whole_.assign(options.begin() + kOptions, options.end());
  n_whole_ = static_cast<int>(std::ranges::count(is_whole_, true));
}

int RazorPolicy::n_last(int n_tokens) const { return std::max(least_last_, n_tokens / divisor_); }

bool RazorPolicy::is_neutral(int n_tokens) const {
  return n_whole_ == std::ssize(is_whole_) || n_first_ + 1 + n_last(n_tokens) >= n_tokens;
}

int RazorPolicy::n_kept(int n_tokens) const {
  const auto n_heads = static_cast<int64_t>(is_whole_.size());
  const int64_t n_cut = std::min(n_tokens, n_first_ + 1 + n_last(n_tokens));
  return static_cast<int>((n_whole_ * int64_t{n_tokens} + (n_heads - n_whole_) * n_cut) / n_heads);
}

KvEdit RazorPolicy::edit_keys(const KeySource& source) const {
  KvEdit edit;
  edit.heads.resize(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    auto& [keep, scores, merged] = edit.heads[static_cast<size_t>(head)];
    const int n = source.n_keys(head), last = n - n_last(source.n_tokens());
    const bool stays = is_whole_[static_cast<size_t>(head)] || n_first_ + 1 >= last;
    for (int i = 0; i < n; i++) {
      if (stays || i <= n_first_ || i >= last) keep.push_back(i);
      else merged.push_back({n_first_, i});  // with the first of those between
    }
  }
  return edit;
}

}  // namespace cachalot
