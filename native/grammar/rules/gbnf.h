// Grammars as text, in the notation of llama.cpp (GBNF): rules, of which "root" is the whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grammar/regex/syntax.h"

namespace cachalot {

struct GrammarRule {
  std::string name;
  RegexRef body;  // kRule: another rule, by its place in the list
};

/** The rules, "root" first. Throws invalid_argument that says what is wrong, and in which line. */
std::vector<GrammarRule> parse_gbnf(std::string_view text);

}  // namespace cachalot
