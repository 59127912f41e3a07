// The size of prompts' chunks, on a machine whose times are made up.
#pragma once

#include <cstdint>
#include <string>

namespace cachalot::tests {

/** Prompts of several depths beside sequences that decode: after some steps nearly all steps keep
 * the target, and what it leaves is used. Returns a summary. */
std::string chunks_keep_targets(uint64_t seed);

}  // namespace cachalot::tests
