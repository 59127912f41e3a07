// An answer that is as a whole what a regular expression describes.
#pragma once

#include <memory>
#include <string_view>

#include "grammar/grammar.h"

namespace cachalot {

/** `gap`: text that may stand before it. Throws invalid_argument, also if nothing can match. */
std::shared_ptr<Grammar> grammar_of_regex(std::string_view pattern, std::string_view gap,
                                          std::shared_ptr<const Vocabulary> tokens);

}  // namespace cachalot
