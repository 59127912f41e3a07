// Keeps the first and the last keys (StreamingLLM, Xiao et al. 2023), and forgets those between.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class RecentPolicy final : public WithBudget<SharedSafePolicy> {
 public:
  /** Options: those of a Budget. */
  explicit RecentPolicy(const EditRecipe& recipe);

  KvEdit edit_keys(const KeySource& source) const override;
};

}  // namespace cachalot
