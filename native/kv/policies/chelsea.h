// Makes keys that are alike one key (Chelsea, Hu et al. 2025): a context is cut into chunks, the
// keys of each are parted in turn into centres and others, and each of the others becomes one with
// the centre most like it, the likest first. The paper parts every second key; to keep less than
// half, a centre is here every third, fourth and so on. The size of a chunk is our choice.
#pragma once

#include "kv/policies/budget.h"
#include "kv/policies/policy.h"

namespace cachalot {

class ChelseaPolicy final : public WithBudget<SharedSafePolicy> {
 public:
  /** Options: those of a Budget, the size of a chunk, and 1 if a merged key weighs as much as
   * its tokens, or 0. */
  explicit ChelseaPolicy(const EditRecipe& recipe);

  std::optional<MatchShape> matches(int n_keys, int n_tokens) const override;
  KvEdit edit_keys(const KeySource& source) const override;

 private:
  int n_chunk_;
  bool counts_;
};

}  // namespace cachalot
