// Thread pools under load: several at once, as engines of one process have them.
#pragma once

#include <cstdint>
#include <string>

#include "tests/effort.h"

namespace cachalot::tests {

/** Regions of random sizes on pools that come and go: every piece runs once, an exception of a
 * piece arrives, and a region ends although others are busy. Returns a summary. */
std::string pools_share_cores(const Effort& effort, uint64_t seed);

}  // namespace cachalot::tests
