// How JSON.stringify writes texts and numbers.
#pragma once

#include <string>
#include <string_view>

namespace cachalot {

/** Between the quotes. */
std::string spelled_text(std::string_view text);
std::string spelled_number(double value);

}  // namespace cachalot
