// Keeps keys by chance: what any method must be better than.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class RandomPolicy final : public WithBudget<SharedSafePolicy> {
 public:
  /** Options: those of a Budget, and a seed. */
  explicit RandomPolicy(const EditRecipe& recipe);

  KvEdit edit_keys(const KeySource& source) const override;

 private:
  uint64_t seed_;
};

}  // namespace cachalot
