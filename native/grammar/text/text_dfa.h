// Texts that patterns describe, read code point by code point: several patterns at once, each of
// which has to match or must not. States that lead to nothing are dead.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "grammar/regex/nfa.h"

namespace cachalot {

class TextDfa {
 public:
  static constexpr int32_t kDead = -1;
  static constexpr int64_t kEndless = std::numeric_limits<int64_t>::max();
  /** Whether a text may be had, of which is known which patterns match. */
  using Fits = std::function<bool(const std::vector<bool>& matches)>;

  /** `patterns`: over code points. Throws invalid_argument if there would be too many states. */
  TextDfa(std::span<const Nfa> patterns, const Fits& fits);

  /** kDead: no text fits. */
  int32_t start() const { return start_; }
  int32_t next(int32_t state, uint32_t code_point) const {
    return edge(state, class_of(code_point));
  }
  bool accepts(int32_t state) const { return states_[static_cast<size_t>(state)].accepts; }
  /** The patterns that match a text that ends here. */
  const std::vector<bool>& matches(int32_t state) const {
    return states_[static_cast<size_t>(state)].matches;
  }
  /** Whether a code point of the range can come next, and at most `most` more end the text. */
  bool goes_on(int32_t state, CodePointRange range, int64_t most) const;
  /** Code points to the nearest end. */
  int64_t nearest(int32_t state) const { return states_[static_cast<size_t>(state)].nearest; }

  /** All texts, with the states that accept them, if they are at most so many. */
  std::optional<std::vector<std::pair<std::string, int32_t>>> texts(size_t most) const;

  size_t n_states() const { return states_.size(); }
  size_t n_classes() const { return first_of_class_.size(); }
  /** The code points of a class, to its last. */
  CodePointRange class_range(size_t one) const;
  int32_t edge(int32_t state, size_t one) const {
    return edges_[static_cast<size_t>(state) * n_classes() + one];
  }
  size_t class_of(uint32_t code_point) const;

 private:
  struct State {
    bool accepts = false;
    std::vector<bool> matches;
    int64_t nearest = kEndless;
  };

  void find_classes(std::span<const Nfa::State> states);
  void determinize(std::span<const Nfa> patterns, const Fits& fits);
  void measure();
  void cut();

  std::vector<uint32_t> first_of_class_;
  std::vector<State> states_;
  std::vector<int32_t> edges_;  // [states, classes]
  int32_t start_ = kDead;
};

}  // namespace cachalot
