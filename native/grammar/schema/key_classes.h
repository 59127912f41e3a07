// The names that properties of an object may have: those that its schema mentions, and all others,
// told apart by the patterns that they match.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grammar/regex/syntax.h"
#include "grammar/schema/shape.h"
#include "grammar/text/text_dfa.h"

namespace cachalot {

class Goals;

struct NamedKey {
  std::string name;
  std::vector<Claim> claims;  // on its value
  bool fits;                  // as a name
};

/** Names that are not mentioned and match the same patterns. */
struct OtherKeys {
  std::vector<bool> matches;      // of the automata of KeyClasses
  std::vector<int32_t> patterns;  // of the schema, that match
  std::vector<Claim> claims;
};

struct KeyClasses {
  std::vector<NamedKey> names;  // ascending
  std::vector<OtherKeys> others;
  std::vector<Nfa> automata;  // that tell others apart; none: there is one class at most
};

KeyClasses key_classes(Goals& goals, const Shape& shape);

bool is_key_in(Goals& goals, const KeySet& keys, const std::string& name);
bool is_class_in(const KeySet& keys, const OtherKeys& others);

/** Texts of so many code points; `most` may be Regex::kUnbounded. Throws invalid_argument if they
 * are too many. */
Nfa nfa_of_length(int64_t least, int64_t most);

}  // namespace cachalot
