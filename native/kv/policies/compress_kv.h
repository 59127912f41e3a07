// Lets only the heads that look things up say which tokens stay, for all heads of their layer
// (CompressKV, Lin et al. 2025). Which heads these are is found once for a model (`cachalot
// heads`). The paper chooses query heads by another score, and divides keys among layers by
// measured errors; here it is KV heads, by that profile, and a budget is divided as it says.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class CompressKvPolicy final : public WithBudget<PrivatePolicy> {
 public:
  /** Options: those of a Budget; the rows that are observed, and how many neighbours are averaged
   * (odd); then 1 or 0 for each of `n_heads`: whether it says which tokens stay. A layer without
   * such a head is decided by all of its heads. */
  CompressKvPolicy(const EditRecipe& recipe, int n_heads);

  int n_observed() const override { return n_rows_; }
  KvEdit edit(const QuerySource& source) const override;

 private:
  int n_rows_, n_pooled_;
  std::vector<bool> says_;  // of each head
};

}  // namespace cachalot
