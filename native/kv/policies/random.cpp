#include "kv/policies/random.h"

#include "base/error.h"
#include "kv/policies/numbers.h"

namespace cachalot {

RandomPolicy::RandomPolicy(const EditRecipe& recipe)
    : WithBudget(budget_options(recipe, 1)), seed_(static_cast<uint64_t>(recipe.options.back())) {}

KvEdit RandomPolicy::edit_keys(const KeySource& source) const {
  KeyWorth worth(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    const uint64_t of_head = mixed(seed_ + static_cast<uint64_t>(head));
    for (int i = 0; i < source.n_keys(head); i++) {
      const auto index = static_cast<uint64_t>(source.key(head, i).index);
      worth[static_cast<size_t>(head)].push_back(static_cast<float>(mixed(of_head + index) >> 40));
    }
  }
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
