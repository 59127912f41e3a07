// Keeps the last keys and those that have been read most since they were computed (H2O, Zhang et
// al. 2023): half of the budget each. The paper adds up the attention of all rows; here it is that
// of every fourth row among the last before each edit, and what is left goes on with its sum.
#pragma once

#include "kv/policies/numbers.h"
#include "kv/policies/policy.h"

namespace cachalot {

class H2oPolicy final : public WithBudget<PrivatePolicy> {
 public:
  /** Options: those of a Budget, and how many rows are observed. */
  explicit H2oPolicy(const EditRecipe& recipe);

  int n_observed() const override { return n_rows_; }
  int stride() const override { return kObservedStride; }
  KvEdit edit(const QuerySource& source) const override;

 private:
  int n_rows_;
};

}  // namespace cachalot
