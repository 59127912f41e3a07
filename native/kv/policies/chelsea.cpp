#include "kv/policies/chelsea.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kv/policies/numbers.h"

namespace cachalot {

namespace {

constexpr int64_t kMostChunk = 4096;

/** The `n` likest of the keys that have a match. */
std::vector<int32_t> likest(std::span<const float> similarity, std::span<const float> match,
                            int n) {
  std::vector<int32_t> keys;
  for (size_t i = 0; i < match.size(); i++) {
    if (std::isnan(similarity[i]))
      throw Error(ErrorCode::kNotANumber,
                  "a key of this request's context is not a number; the model's weights are "
                  "probably damaged");
    if (match[i] >= 0) keys.push_back(static_cast<int32_t>(i));
  }
  const auto is_better = [&](int32_t a, int32_t b) {
    const float x = similarity[static_cast<size_t>(a)], y = similarity[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::ranges::sort(keys, is_better);
  keys.resize(std::min(keys.size(), static_cast<size_t>(std::max(0, n))));
  return keys;
}

/** How many of n keys stay if all become one that can. */
int least_kept(int n, int n_chunk, int stride) {
  const int rest = n % n_chunk;
  return n / n_chunk * (n_chunk / stride) + (rest < stride ? rest : rest / stride);
}

}  // namespace

ChelseaPolicy::ChelseaPolicy(const EditRecipe& recipe) : WithBudget(budget_options(recipe, 2)) {
  const int64_t n_chunk = recipe.options[Budget::kOptions];
  const int64_t counts = recipe.options[Budget::kOptions + 1];
  const bool is_sound = n_chunk >= 2 && n_chunk <= kMostChunk && (counts == 0 || counts == 1) &&
                        budget_.split() == Budget::Split::kUniform;
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected chunks of 2 to 4096 keys, and as many keys for each head");
  n_chunk_ = static_cast<int>(n_chunk);
  counts_ = counts == 1;
}

std::optional<MatchShape> ChelseaPolicy::matches(int n_keys, int n_tokens) const {
  const int n_always = budget_.first() + budget_.last();
  const int between = std::max(0, n_keys - n_always);
  const int wanted = std::max(1, budget_.keys(n_tokens) - n_always);
  int stride = 2;
  while (stride < between && least_kept(between, std::max(n_chunk_, stride), stride) > wanted)
    stride++;
  return MatchShape{budget_.first(), budget_.last(), std::max(n_chunk_, stride), stride};
}

KvEdit ChelseaPolicy::edit_keys(const KeySource& source) const {
  KvEdit edit;
  edit.counts = counts_;
  edit.heads.resize(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    const int n = source.n_keys(head);
    const auto match = source.match(head);
    const auto merged = likest(source.similarity(head), match, n - budget_.keys(source.n_tokens()));
    std::vector<bool> goes(static_cast<size_t>(n));
    for (const int32_t key : merged) goes[static_cast<size_t>(key)] = true;
    std::vector<int32_t> number(static_cast<size_t>(n));  // of each that is kept
    HeadEdit& of_head = edit.heads[static_cast<size_t>(head)];
    for (int i = 0; i < n; i++) {
      if (goes[static_cast<size_t>(i)]) continue;
      number[static_cast<size_t>(i)] = static_cast<int32_t>(of_head.keep.size());
      of_head.keep.push_back(i);
    }
    for (const int32_t key : merged) {
      const auto centre = static_cast<size_t>(match[static_cast<size_t>(key)]);
      of_head.merged.push_back({number[centre], key});
    }
    std::ranges::sort(of_head.merged, {},
                      [](const MergedKey& one) { return std::pair(one.into, one.from); });
  }
  return edit;
}

}  // namespace cachalot
