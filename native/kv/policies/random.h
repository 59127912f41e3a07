// Keeps keys by chance: what any method must be better than.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class RandomPolicy final : public SharedSafePolicy {
 public:
  /** Options: those of a Budget, and a seed. */
  explicit RandomPolicy(const EditRecipe& recipe);

  bool is_neutral(int n_tokens) const override { return budget_.is_neutral(n_tokens); }
  int n_kept(int n_tokens) const override { return std::min(n_tokens, budget_.keys(n_tokens)); }
  KvEdit edit_keys(const KeySource& source) const override;

 private:
  Budget budget_;
  uint64_t seed_;
};

}  // namespace cachalot
