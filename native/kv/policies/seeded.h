// Keeps what a seed says, whatever the text: for tests of everything that edits go through.
#pragma once

#include "kv/policies/policy.h"

namespace cachalot {

class SeededPolicy final : public KvPolicy {
 public:
  /** Of 1,000 keys of a head `keep` are kept, `merge` become one with the one kept before them, and
   * the rest go. Options: { seed, keep, merge }. */
  explicit SeededPolicy(const EditRecipe& recipe);

  bool is_neutral() const override { return keep_ == 1000; }
  KvEdit edit(const EditSource& source) const override;

 private:
  uint64_t seed_;
  int64_t keep_, merge_;
};

}  // namespace cachalot
