#include "kv/policies/compress_kv.h"

#include <algorithm>

#include "kv/policies/numbers.h"

namespace cachalot {

namespace {

/** Whether two heads have keys of the same tokens. */
bool have_same_keys(const EditSource& source, int a, int b) {
  if (source.n_before(a) != source.n_before(b)) return false;
  for (int i = 0; i < source.n_before(a); i++)
    if (source.key(a, i).index != source.key(b, i).index) return false;
  return true;
}

const EditRecipe& with_profile(const EditRecipe& recipe, int n_heads) {
  check_profile(recipe, Budget::kOptions + 2, n_heads);
  return recipe;
}

}  // namespace

CompressKvPolicy::CompressKvPolicy(const EditRecipe& recipe, int n_heads)
    : WithBudget(budget_options(with_profile(recipe, n_heads), 2 + static_cast<size_t>(n_heads))),
      n_rows_(observed_rows(recipe.options[Budget::kOptions])),
      n_pooled_(pooled_neighbours(recipe.options[Budget::kOptions + 1])) {
  const auto flags = std::span(recipe.options).subspan(Budget::kOptions + 2);
  const bool is_sound = std::ranges::all_of(flags, [](int64_t x) { return x == 0 || x == 1; }) &&
                        budget_.split() < Budget::Split::kMass;
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected 0 or 1 for each KV head, and as many keys for each head of a layer, for "
                "the policy 'compress-kv'");
  says_.assign(flags.begin(), flags.end());
}

KvEdit CompressKvPolicy::edit(const QuerySource& source) const {
  // The heads of a layer have the same keys: their first edit was this one, or another that is
  // alike for all of them; where it was not, each head is decided by itself.
  KeyWorth worth;
  for (int head = 0; head < source.n_heads(); head++) {
    const auto n = static_cast<size_t>(source.n_keys(head));
    std::vector<float> sum(n);
    const auto add = [&](bool all) {
      bool has_any = false;
      for (int other = 0; other < source.n_heads(); other++) {
        const bool counts = source.layer(other) == source.layer(head) &&
                            (all || says_[static_cast<size_t>(other)]) &&
                            have_same_keys(source, head, other);
        if (!counts) continue;
        has_any = true;
        const auto attention = source.attention(other);
        for (size_t i = 0; i < n; i++) sum[i] += attention[i];
      }
      return has_any;
    };
    if (!add(false)) add(true);
    worth.push_back(pooled(sum, n_pooled_));
  }
  return keep_best(source, budget_, worth);
}

}  // namespace cachalot
