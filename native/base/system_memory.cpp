#include "base/system_memory.h"

#include <algorithm>
#include <fstream>

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace cachalot {

#ifdef _WIN32

uint64_t system_memory() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return ::GlobalMemoryStatusEx(&status) == 0 ? UINT64_MAX : status.ullTotalPhys;
}

#else

uint64_t system_memory() {
  uint64_t limit = UINT64_MAX;
  std::ifstream("/sys/fs/cgroup/memory.max") >> limit;  // absent, or "max": no limit
  if (limit == 0) limit = UINT64_MAX;                   // what a failed read of "max" leaves
  const auto pages = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES));
  return std::min(limit, pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
}

#endif

}  // namespace cachalot
