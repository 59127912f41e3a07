// What answers have to fit, if that is a JSON schema.
#pragma once

#include <memory>
#include <string_view>

#include "grammar/grammar.h"

namespace cachalot {

/** Throws invalid_argument that says what of the schema is wrong or not supported, and where. */
std::shared_ptr<Grammar> grammar_of_schema(std::string_view schema,
                                           std::shared_ptr<const Vocabulary> tokens);

}  // namespace cachalot
