// The rules of a grammar as automata over bytes that go on in each other.
#pragma once

#include <span>
#include <vector>

#include "grammar/regex/nfa.h"
#include "grammar/rules/gbnf.h"

namespace cachalot {

struct RuleNetwork {
  std::vector<Nfa::State> states;
  std::vector<int32_t> entries, ends;  // by rule; rule 0 is the whole
  std::vector<bool> is_end;            // of a rule, by state
};

/** No state leads to nothing. Throws invalid_argument if a rule begins with itself, or if no text
 * fits. */
RuleNetwork make_network(std::span<const GrammarRule> rules);

}  // namespace cachalot
