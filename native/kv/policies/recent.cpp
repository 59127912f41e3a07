#include "kv/policies/recent.h"

#include <numeric>

namespace cachalot {

RecentPolicy::RecentPolicy(const EditRecipe& recipe) : WithBudget(recipe.options) {}

KvEdit RecentPolicy::edit_keys(const KeySource& source) const {
  KeyWorth worth(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    auto& of_head = worth[static_cast<size_t>(head)];
    of_head.resize(static_cast<size_t>(source.n_keys(head)));
    std::iota(of_head.begin(), of_head.end(), 0.0f);
  }
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
