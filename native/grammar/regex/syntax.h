// A regular expression as a tree. The syntax is ECMAScript's with the flag "u", less what is not
// regular: look-arounds and back references are refused by name.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "grammar/regex/code_points.h"

namespace cachalot {

struct Regex;
using RegexRef = std::shared_ptr<const Regex>;

struct Regex {
  enum class Kind {
    kSet,     // one code point of a set; of an empty set: nothing matches
    kConcat,  // of no parts: the empty text
    kAlternate,
    kRepeat,  // of its only part
    kBegin,   // of the text
    kEnd,
    kRule,  // what another rule of a grammar describes
  };
  static constexpr int kUnbounded = -1;

  Kind kind;
  CodePoints set{};
  std::vector<RegexRef> parts{};
  int least = 0, most = kUnbounded;
  int rule = -1;
};

/** Throws invalid_argument that says what is wrong or not supported, and where. */
RegexRef parse_regex(std::string_view pattern);

/** What matches one text, which is UTF-8. */
RegexRef regex_of_text(std::string_view text);

/** What may have a text before it. */
RegexRef behind_gap(std::string_view gap, RegexRef what);

}  // namespace cachalot
