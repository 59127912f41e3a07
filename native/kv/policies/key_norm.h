// Keeps the shortest keys: what has a short key is read much (Devoto et al. 2024). The paper leaves
// the first two layers alone; here they are compressed like the others, so that a budget is one.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class KeyNormPolicy final : public WithBudget<SharedSafePolicy> {
 public:
  /** Options: those of a Budget. */
  explicit KeyNormPolicy(const EditRecipe& recipe);

  bool reads_norms() const override { return true; }
  KvEdit edit_keys(const KeySource& source) const override;
};

}  // namespace cachalot
