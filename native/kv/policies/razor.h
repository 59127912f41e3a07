// Keeps all keys of the heads that look things up, and of the others the first and the last ones
// and one key that stands for all between (RazorAttention, Tang et al. 2024). Which heads look
// things up is found once for a model (`cachalot heads`). The paper chooses query heads; here it is
// the KV heads that they read.
#pragma once

#include "kv/policies/policy.h"

namespace cachalot {

class RazorPolicy final : public SharedSafePolicy {
 public:
  /** Options: first keys that stay; the least of the last keys that stay, and the part of all
   * tokens (1 of so many) that they are at least; then 1 or 0 for each of `n_heads`: whether all
   * stay. */
  RazorPolicy(const EditRecipe& recipe, int n_heads);

  bool is_neutral(int n_tokens) const override;
  int n_kept(int n_tokens) const override;
  KvEdit edit_keys(const KeySource& source) const override;

 private:
  int n_last(int n_tokens) const;

  int n_first_, least_last_, divisor_;
  std::vector<bool> is_whole_;  // of each head
  int n_whole_;
};

}  // namespace cachalot
