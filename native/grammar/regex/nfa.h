// A regular expression as a nondeterministic automaton (Thompson 1968) over the bytes of UTF-8, or
// over code points. Begin and end of the text are symbols of their own, so that "^" and "$" may
// stand anywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/regex/syntax.h"

namespace cachalot {

/** Which text a pattern is compared with. */
enum class RegexMatch {
  kWhole,     // it must be the whole text
  kAnywhere,  // it may stand anywhere, unless "^" and "$" say otherwise, as in a JSON schema
};

/** What an automaton reads. */
enum class Alphabet { kBytes, kCodePoints };

struct Nfa {
  static constexpr uint32_t kBegin = CodePoints::kLast + 1, kEnd = kBegin + 1;
  static constexpr int32_t kNone = -1;

  /** Goes on with a symbol from `first` to `last`; if `first` is larger, without one, to `next` and
   * `other`; or to `next` behind what a rule of a grammar describes. */
  struct State {
    uint32_t first = 1, last = 0;
    int32_t next = kNone, other = kNone, rule = kNone;
    bool reads() const { return first <= last; }
    bool reads_begin_only() const { return first == kBegin && last == kBegin; }
  };

  std::vector<State> states;
  int32_t entry = kNone, accept = kNone;  // the text begins with kBegin and ends with kEnd
};

/** No state leads to nothing. Throws invalid_argument if there would be too many states. */
Nfa make_nfa(const Regex& regex, RegexMatch match, Alphabet alphabet = Alphabet::kBytes);

/** Adds states that read what a regular expression matches and go on to a state; returns the first
 * of them. Throws as make_nfa does. */
int32_t add_regex(const Regex& regex, int32_t next, Nfa* nfa);

}  // namespace cachalot
