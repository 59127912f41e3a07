// Tables from the codes of two families of formats to numbers. C headers only: files of several
// instruction sets include it.
#pragma once

#include <stdint.h>

namespace cachalot {

/** The 16 values of IQ4_NL and IQ4_XS, plus 128: finer near zero, where weights are. */
constexpr uint8_t kIq4Values[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                    129, 141, 153, 166, 181, 197, 217, 241};

/** The 256 points of IQ2_XXS's lattice: 8 values of {8, 25, 43}, two bits each, first value in the
 * lowest bits. */
extern const uint16_t kIq2XxsGrid[256];

}  // namespace cachalot
