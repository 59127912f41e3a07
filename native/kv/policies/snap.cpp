#include "kv/policies/snap.h"

#include "kv/policies/numbers.h"

namespace cachalot {

SnapPolicy::SnapPolicy(const EditRecipe& recipe)
    : WithBudget(budget_options(recipe, 2)),
      n_rows_(observed_rows(recipe.options[Budget::kOptions])),
      n_pooled_(pooled_neighbours(recipe.options[Budget::kOptions + 1])) {}

KvEdit SnapPolicy::edit(const QuerySource& source) const {
  KeyWorth worth;
  for (int head = 0; head < source.n_heads(); head++)
    worth.push_back(pooled(source.attention(head), n_pooled_));
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
