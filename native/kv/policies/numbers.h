// What several policies do with their options.
#pragma once

#include <cstdint>

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
                                                 " more options for the policy '" + recipe.policy +
                                                 "'");
  return std::span(recipe.options).first(Budget::kOptions);
}

}  // namespace cachalot
