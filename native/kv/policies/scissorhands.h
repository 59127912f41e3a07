// Drops the keys that most rows have read less than if they read all alike (Scissorhands, Liu et
// al. 2023): what was important stays so. The rows are every fourth among the last before each
// edit; keys are dropped many at once, and never the last ones.
#pragma once

#include "kv/policies/numbers.h"
#include "kv/policies/policy.h"

namespace cachalot {

class ScissorhandsPolicy final : public WithBudget<PrivatePolicy> {
 public:
  /** Options: those of a Budget, and how many rows are observed. */
  explicit ScissorhandsPolicy(const EditRecipe& recipe);

  int n_observed() const override { return n_rows_; }
  int stride() const override { return kObservedStride; }
  bool counts_seldom() const override { return true; }
  KvEdit edit(const QuerySource& source) const override;

 private:
  int n_rows_;
};

}  // namespace cachalot
