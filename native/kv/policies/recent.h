// Keeps the first and the last keys (StreamingLLM, Xiao et al. 2023), and forgets those between.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class RecentPolicy final : public SharedSafePolicy {
 public:
  /** Options: those of a Budget. */
  explicit RecentPolicy(const EditRecipe& recipe);

  bool is_neutral(int n_tokens) const override { return budget_.is_neutral(n_tokens); }
  int n_kept(int n_tokens) const override { return std::min(n_tokens, budget_.keys(n_tokens)); }
  KvEdit edit_keys(const KeySource& source) const override;

 private:
  Budget budget_;
};

}  // namespace cachalot
