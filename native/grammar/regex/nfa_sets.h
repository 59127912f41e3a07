// Nondeterministic automata read side by side: the sets of states that they are in.
#pragma once

#include <span>
#include <vector>

#include "grammar/regex/nfa.h"

namespace cachalot {

class NfaSets {
 public:
  using Set = std::vector<int32_t>;  // states that read, of all automata, ascending
  struct Hash {
    size_t operator()(const Set& set) const;
  };

  explicit NfaSets(std::span<const Nfa> automata);

  const std::vector<Nfa::State>& states() const { return states_; }
  /** Before a text. */
  Set start();
  Set after(const Set& set, uint32_t symbol);
  /** The automata that match a text which ends here, by their number in the list. */
  std::vector<bool> matches(const Set& set);
  size_t bytes() const { return states_.size() * (sizeof(Nfa::State) + sizeof(uint32_t)); }

 private:
  void close(int32_t state, bool has_begun);
  Set closed();

  std::vector<Nfa::State> states_;
  std::vector<int32_t> entries_, accepts_;
  // Of a closure in the making.
  std::vector<uint32_t> seen_;
  uint32_t stamp_ = 0;
  Set found_;
};

}  // namespace cachalot
