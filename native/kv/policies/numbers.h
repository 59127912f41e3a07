// What several policies do with their options.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "kv/policies/budget.h"

namespace cachalot {

/** A number that looks like chance (SplitMix64, Steele et al. 2014). */
inline uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/** The options of a Budget, after which a recipe has so many more. */
inline std::span<const int64_t> budget_options(const EditRecipe& recipe, size_t n_more) {
  if (recipe.options.size() != Budget::kOptions + n_more)
    throw Error(ErrorCode::kInvalidArgument, "expected a budget and " + std::to_string(n_more) +
                                                 " more options for this policy");
  return std::span(recipe.options).first(Budget::kOptions);
}

/** Checks a number for each KV head, after so many other options. */
inline void check_profile(const EditRecipe& recipe, size_t n_before, int n_heads) {
  const size_t n = recipe.options.size();
  if (n == n_before + static_cast<size_t>(n_heads)) return;
  throw Error(ErrorCode::kInvalidArgument, "the profile of heads is of another model: it has " +
                                               std::to_string(n < n_before ? 0 : n - n_before) +
                                               " KV heads, this model has " +
                                               std::to_string(n_heads));
}

/** Every so many rows are observed by policies that look back far. */
constexpr int kObservedStride = 4;

/** An option: how many rows are observed. */
inline int observed_rows(int64_t n) {
  if (n < 1 || n > 256) throw Error(ErrorCode::kInvalidArgument, "expected 1 to 256 rows");
  return static_cast<int>(n);
}

/** An option: of how many neighbours a key's worth is the mean. */
inline int pooled_neighbours(int64_t n) {
  if (n < 1 || n > 63 || n % 2 == 0)
    throw Error(ErrorCode::kInvalidArgument, "expected an odd number of neighbours up to 63");
  return static_cast<int>(n);
}

/** The mean of the n numbers around each; beyond the ends they are 0. */
inline std::vector<float> pooled(std::span<const float> x, int n) {
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

}  // namespace cachalot
