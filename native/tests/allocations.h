// An engine whose memory runs out, at each point in turn.
#pragma once

#include <cstdint>
#include <string>

#include "tests/effort.h"

namespace cachalot::tests {

/** Each allocation of a small job of all kinds of requests fails in turn, alone or with all after
 * it: every request ends, with the oracle's answer or with out_of_memory, and the engine goes on or
 * says that it has failed. Returns what was done. */
std::string every_allocation_may_fail(const Effort& effort, uint64_t seed);

}  // namespace cachalot::tests
