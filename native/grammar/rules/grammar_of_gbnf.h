// What answers have to match, if that is a context-free grammar.
#pragma once

#include <memory>
#include <string_view>

#include "grammar/grammar.h"
#include "grammar/recognizer.h"

namespace cachalot {

std::unique_ptr<Recognizer> recognizer_of_gbnf(std::string_view text, std::string_view gap);

/** `gap` may stand before what fits. Throws invalid_argument that says what is wrong, and where. */
std::shared_ptr<Grammar> grammar_of_gbnf(std::string_view text, std::string_view gap,
                                         std::shared_ptr<const Vocabulary> tokens);

}  // namespace cachalot
