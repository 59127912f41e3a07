// How many keys a method may keep, and how they are divided among heads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kv/signals.h"

namespace cachalot {

/** What a key is worth, for each head and key. */
using KeyWorth = std::vector<std::vector<float>>;

class Budget {
 public:
  enum class Split : int64_t {
    kUniform,  // as many for each head
    kPyramid,  // fewer the higher a layer stands (PyramidKV, Cai et al. 2024)
    kMass,     // each head as many as hold the same part of its worth (PrefixKV, Wang et al. 2024)
    kHeads,  // as many for each layer, and in it the more for a head, the more of the layer's best
             // keys it has (Ada-KV, Feng et al. 2024)
  };
  static constexpr size_t kOptions = 5;

  /** Reads { millionths of the tokens, or 0; keys, or 0; split; first and last keys that always
   * stay }. Throws invalid_argument. */
  explicit Budget(std::span<const int64_t> options);
  /** So many keys in all, the first and the last of them for certain. */
  Budget(int64_t n_keys, int64_t n_first, int64_t n_last)
      : n_keys_(n_keys), n_first_(n_first), n_last_(n_last) {}

  /** The same for a context of so many tokens, with at least so large a part of its keys for the
   * last ones. */
  Budget with_last(int n_tokens, double part) const;
  int first() const { return static_cast<int>(n_first_); }
  int last() const { return static_cast<int>(n_last_); }
  Split split() const { return split_; }
  /** Keys of a head, on average, of a context of so many tokens. */
  int keys(int n_tokens) const;
  bool is_neutral(int n_tokens) const { return keys(n_tokens) >= n_tokens; }

  /** How many keys each head keeps: at most those that it has. */
  std::vector<int> divide(const KeySource& source, const KeyWorth& worth) const;

 private:
  int of_layer(int layer, int n_layers, int n_tokens) const;
  std::vector<int> divide_in_layers(const KeySource& source, const KeyWorth& worth) const;
  std::vector<int> divide_by_mass(const KeySource& source, const KeyWorth& worth) const;

  int64_t millionths_ = 0, n_keys_ = 0;
  Split split_ = Split::kUniform;
  int64_t n_first_ = 0, n_last_ = 0;
};

/** Keeps the first and last keys of each head and, of the others, those that are worth most; of
 * equals the earlier. Throws not_a_number if one is worth that. */
KvEdit keep_best(const KeySource& source, const Budget& budget, const KeyWorth& worth);

/** What all policies with a budget say of it. Base: SharedSafePolicy or PrivatePolicy. */
template <class Base>
class WithBudget : public Base {
 public:
  explicit WithBudget(std::span<const int64_t> options) : budget_(options) {}

  bool is_neutral(int n_tokens) const final { return budget_.is_neutral(n_tokens); }
  int n_kept(int n_tokens) const final { return std::min(n_tokens, budget_.keys(n_tokens)); }

 protected:
  Budget budget_;
};

}  // namespace cachalot
