// How much memory this process can have: the machine's, within the limits of its container and of
// the process itself.
#pragma once

#include <cstdint>
#include <string>

namespace cachalot {

struct SystemMemory {
  uint64_t limit;  // bytes that the process can have at most
  uint64_t left;   // of them, not in use now; the file cache does not count as in use
};

/** The least of all limits, and the least memory that any limit leaves. `root`: of the file system,
 * for tests. */
SystemMemory system_memory(const std::string& root = "");

}  // namespace cachalot
