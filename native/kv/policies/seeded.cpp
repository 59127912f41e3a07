#include "kv/policies/seeded.h"

#include "kv/policies/numbers.h"

namespace cachalot {

SeededPolicy::SeededPolicy(const EditRecipe& recipe) {
  const auto& options = recipe.options;
  const bool is_sound = (options.size() == 3 || options.size() == 4) && options[1] >= 0 &&
                        options[2] >= 0 && options[1] <= 1000 && options[2] <= 1000 - options[1] &&
                        options.back() >= 0 && options.back() <= 1000;
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected a seed and two numbers of at most 1000 together for the policy 'seeded'");
  seed_ = static_cast<uint64_t>(options[0]);
  keep_ = options[1];
  merge_ = options[2];
  if (options.size() == 4) n_observed_ = static_cast<int>(options[3]);
}

KvEdit SeededPolicy::edit_notes(const EditSource& source) const {
  KvEdit edit;
  edit.heads.resize(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    auto& [keep, scores, merged] = edit.heads[static_cast<size_t>(head)];
    for (int i = 0; i < source.n_keys(head); i++) {
      const auto index = static_cast<uint64_t>(source.key(head, i).index);
      const uint64_t number = mixed(mixed(seed_ + static_cast<uint64_t>(head)) + index);
      const auto draw = static_cast<int64_t>(number % 1000);
      if (draw < keep_) keep.push_back(i);
      else if (draw < keep_ + merge_ && !keep.empty())
        merged.push_back({static_cast<int32_t>(keep.size()) - 1, i});
    }
  }
  return edit;
}

}  // namespace cachalot
