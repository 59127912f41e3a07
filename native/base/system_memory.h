// How much memory there is for this process: of the machine, within the limits of its container and
// of the process itself.
#pragma once

#include <cstdint>
#include <string>

namespace cachalot {

struct SystemMemory {
  uint64_t limit;  // bytes that the process can have at most
  uint64_t left;   // of them, not in use by now; what the file cache holds is not in use
};

/** The least of all limits, and the least of what they leave. `root`: of the file system, for
 * tests. */
SystemMemory system_memory(const std::string& root = "");

}  // namespace cachalot
