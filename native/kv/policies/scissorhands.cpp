#include "kv/policies/scissorhands.h"

#include "kv/policies/numbers.h"

namespace cachalot {

ScissorhandsPolicy::ScissorhandsPolicy(const EditRecipe& recipe)
    : WithBudget(budget_options(recipe, 1)), n_rows_(observed_rows(recipe.options.back())) {
  if (budget_.split() >= Budget::Split::kMass)
    throw Error(ErrorCode::kInvalidArgument, "'scissorhands' counts rows, which are no mass");
}

KvEdit ScissorhandsPolicy::edit(const QuerySource& source) const {
  KeyWorth worth(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    for (const float n_rows : source.seldom(head))
      worth[static_cast<size_t>(head)].push_back(-n_rows);
  }
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
