#include "kv/policies/seeded.h"

#include "base/error.h"

namespace cachalot {

namespace {

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

SeededPolicy::SeededPolicy(const EditRecipe& recipe) {
  const auto& options = recipe.options;
  const bool is_sound = options.size() == 3 && options[1] >= 0 && options[2] >= 0 &&
                        options[1] <= 1000 && options[2] <= 1000 - options[1];
  if (!is_sound)
    throw Error(ErrorCode::kInvalidArgument,
                "expected a seed and two numbers of at most 1000 together for the policy 'seeded'");
  seed_ = static_cast<uint64_t>(options[0]);
  keep_ = options[1];
  merge_ = options[2];
}

KvEdit SeededPolicy::edit(const EditSource& source) const {
  KvEdit edit;
  edit.heads.resize(static_cast<size_t>(source.n_heads()));
  for (int head = 0; head < source.n_heads(); head++) {
    auto& [keep, merged] = edit.heads[static_cast<size_t>(head)];
    for (int i = 0; i < source.n_keys(head); i++) {
      const auto index = static_cast<uint64_t>(source.key(head, i).index);
      const uint64_t number = mix(mix(seed_ + static_cast<uint64_t>(head)) + index);
      const auto draw = static_cast<int64_t>(number % 1000);
      if (draw < keep_) keep.push_back(i);
      else if (draw < keep_ + merge_ && !keep.empty())
        merged.push_back({static_cast<int32_t>(keep.size()) - 1, i});
    }
  }
  return edit;
}

}  // namespace cachalot
