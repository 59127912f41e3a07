#include "kv/policies/h2o.h"

#include "kv/policies/numbers.h"

namespace cachalot {

H2oPolicy::H2oPolicy(const EditRecipe& recipe)
    : WithBudget(budget_options(recipe, 1)), n_rows_(observed_rows(recipe.options.back())) {}

KvEdit H2oPolicy::edit(const QuerySource& source) const {
  KeyWorth worth(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    const auto attention = source.attention(head);
    for (int i = 0; i < source.n_keys(head); i++)
      worth[static_cast<size_t>(head)].push_back(source.key(head, i).score +
                                                 attention[static_cast<size_t>(i)]);
  }
  KvEdit edit = keep_best(source, budget_.with_last(source.n_tokens(), 0.5), worth);
  for (size_t head = 0; head < worth.size(); head++) {
    HeadEdit& of_head = edit.heads[head];
    for (const int32_t key : of_head.keep)
      of_head.scores.push_back(worth[head][static_cast<size_t>(key)]);
  }
  return edit;
}

}  // namespace cachalot
