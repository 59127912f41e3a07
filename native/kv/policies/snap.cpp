#include "kv/policies/snap.h"

#include <algorithm>

#include "kv/policies/numbers.h"

namespace cachalot {

namespace {

constexpr int kMostRows = 256, kMostPooled = 63;

/** The mean of the n numbers around each; beyond the ends they are 0. */
std::vector<float> pooled(std::span<const float> x, int n) {
  std::vector<float> out(x.size());
  const auto size = static_cast<int>(x.size());
  for (int i = 0; i < size; i++) {
    float sum = 0;
    for (int j = std::max(0, i - n / 2); j <= std::min(size - 1, i + n / 2); j++)
      sum += x[static_cast<size_t>(j)];
    out[static_cast<size_t>(i)] = sum / static_cast<float>(n);
  }
  return out;
}

}  // namespace

SnapPolicy::SnapPolicy(const EditRecipe& recipe) : budget_(budget_options(recipe, 2)) {
  const int64_t n_rows = recipe.options[Budget::kOptions];
  const int64_t n_pooled = recipe.options[Budget::kOptions + 1];
  const bool is_sound = n_rows >= 1 && n_rows <= kMostRows && n_pooled >= 1 &&
                        n_pooled <= kMostPooled && n_pooled % 2 == 1;
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected 1 to 256 rows, and an odd number of neighbours up to 63");
  n_rows_ = static_cast<int>(n_rows);
  n_pooled_ = static_cast<int>(n_pooled);
}

KvEdit SnapPolicy::edit(const QuerySource& source) const {
  KeyWorth worth;
  for (int head = 0; head < source.n_heads(); head++)
    worth.push_back(pooled(source.attention(head), n_pooled_));
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
