// Which guesses are tried, by what they cost and how often they are right.
#pragma once

#include <string>

namespace cachalot::tests {

/** Throws unless guesses are tried where they pay, and only there. */
std::string guesses_pay();

}  // namespace cachalot::tests
