// Keeps the keys that the last rows of a prompt read most (SnapKV, Li et al. 2024). Scores are the
// mean of the query heads that share a key, as a key is stored once for all of them; each is the
// mean of its neighbours, so that what stands beside a key that is read stays with it.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class SnapPolicy final : public WithBudget<PrivatePolicy> {
 public:
  /** Options: those of a Budget, the rows that are observed, and how many neighbours are
   * averaged (odd). */
  explicit SnapPolicy(const EditRecipe& recipe);

  int n_observed() const override { return n_rows_; }
  KvEdit edit(const QuerySource& source) const override;

 private:
  int n_rows_, n_pooled_;
};

}  // namespace cachalot
