// How much memory there is for this process.
#pragma once

#include <cstdint>

namespace cachalot {

/** Bytes that this machine, or the container we run in, has. */
uint64_t system_memory();

}  // namespace cachalot
