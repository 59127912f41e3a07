#include "kv/policies/key_norm.h"

#include "base/error.h"

namespace cachalot {

KeyNormPolicy::KeyNormPolicy(const EditRecipe& recipe) : WithBudget(recipe.options) {
  if (budget_.split() >= Budget::Split::kMass)  // the lengths of keys are not parts of anything
    throw Error(ErrorCode::kInvalidArgument,
                "expected a budget that is not divided by mass for the policy 'key-norm'");
}

KvEdit KeyNormPolicy::edit_keys(const KeySource& source) const {
  KeyWorth worth(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    for (const float norm : source.norms(head)) worth[static_cast<size_t>(head)].push_back(-norm);
  }
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
