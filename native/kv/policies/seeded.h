// Keeps what a seed says, whatever the text: for tests of everything that edits go through.
#pragma once

#include "kv/policies/policy.h"

namespace cachalot {

class SeededPolicy final : public KvPolicy {
 public:
  /** Of 1,000 keys of a head `keep` are kept, `merge` become one with the one kept before them, and
   * the rest go. Options: { seed, keep, merge }, and how many rows it
   * has observed, though it does not look at them; not more, if there are none. */
  explicit SeededPolicy(const EditRecipe& recipe);

  bool is_neutral(int) const override { return keep_ == 1000; }
  int n_kept(int n_tokens) const override { return static_cast<int>(n_tokens * keep_ / 1000); }
  int n_observed() const override { return n_observed_; }
  KvEdit edit(const QuerySource& source) const override { return edit_notes(source); }
  KvEdit edit_notes(const EditSource& source) const;

 private:
  uint64_t seed_;
  int64_t keep_, merge_;
  int n_observed_ = 0;
};

}  // namespace cachalot
