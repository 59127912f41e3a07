// Formats of texts that are checked, as regular expressions. Others are annotations, as JSON Schema
// has it.
#pragma once

#include <string_view>

namespace cachalot {

/** A pattern that is the whole text; empty: a format that says nothing here. */
std::string_view pattern_of_format(std::string_view format);

}  // namespace cachalot
