// What an edit does to a context, as plain data: for each layer and KV head which keys stay, and
// which of the others become one with a key that stays. Who decides it is a KvPolicy
// (kv/policies/policy.h); kv/edited_part.h carries it out.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cachalot {

/** A policy and its options. Part of the key under which what follows is stored. */
struct EditRecipe {
  std::string policy;
  std::vector<int64_t> options;
  // The policy reads what so many rows before the edit attend to: they must be computed, even if
  // they are stored.
  int32_t n_observed = 0;
  int32_t stride = 1;  // from one such row to the next

  auto operator<=>(const EditRecipe&) const = default;
};

/** An edit of a sequence's context, when its first `index` tokens have been computed. */
struct ScheduledEdit {
  int index;
  EditRecipe recipe;
  int n_kept = 0;  // keys of a head that it will leave, on average
};

/** A key, as an edited block notes it. */
struct KeyNote {
  int32_t index;    // of its token, counted from the context's first
  float weight;     // log2 of how many tokens it stands for
  float score = 0;  // what an earlier edit has noted of it; not in the block
};

/** The keys of a context before an edit. Heads are those of all layers, in the order of the classes
 * of layers, layer-major. In each, keys of an earlier edit come first, then those of the text. */
class EditSource {
 public:
  /** `before`: of each head; empty if there was no edit. The text's first token is `first_index`.
   */
  EditSource(int n_heads, std::span<const std::vector<KeyNote>> before, int first_index, int n_text)
      : n_heads_(n_heads), before_(before), first_index_(first_index), n_text_(n_text) {}

  int n_heads() const { return n_heads_; }
  /** The tokens that the context has had. */
  int n_tokens() const { return first_index_ + n_text_; }
  /** How many keys of a head come from before the text. */
  int n_before(int head) const {
    return before_.empty() ? 0 : static_cast<int>(before_[static_cast<size_t>(head)].size());
  }
  int n_keys(int head) const { return n_before(head) + n_text_; }
  KeyNote key(int head, int i) const {
    const int n = n_before(head);
    if (i >= n) return {first_index_ + i - n, 0.0f};
    return before_[static_cast<size_t>(head)][static_cast<size_t>(i)];
  }

 private:
  int n_heads_;
  std::span<const std::vector<KeyNote>> before_;
  int first_index_, n_text_;
};

/** Key `from` becomes one with the key that is kept as number `into`. */
struct MergedKey {
  int32_t into, from;
};

struct HeadEdit {
  std::vector<int32_t> keep;      // numbers of keys, ascending
  std::vector<float> scores{};    // of those that stay, for the next edit; empty: 0
  std::vector<MergedKey> merged;  // in the order of `into`; none of them is kept
};

struct KvEdit {
  std::vector<HeadEdit> heads;
  bool counts = true;  // whether a merged key weighs as much as the tokens that it stands for
};

}  // namespace cachalot
