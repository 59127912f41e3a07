#include "base/system_memory.h"

#include <algorithm>

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>

#include "base/control_groups.h"
#endif

namespace cachalot {

#ifdef _WIN32

SystemMemory system_memory(const std::string&) {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (::GlobalMemoryStatusEx(&status) == 0) return {UINT64_MAX, UINT64_MAX};
  return {status.ullTotalPhys, status.ullAvailPhys};
}

#else

namespace {

constexpr double kUnlimited = 9e15;  // bytes; more than any machine has, and exact as a double

class Limits {
 public:
  /** Adds a limit, and how much of it is in use. */
  void add(std::optional<double> limit, double used) {
    if (!limit) return;
    limit_ = std::clamp(*limit, 0.0, limit_);
    left_ = std::clamp(*limit - used, 0.0, left_);
  }
  SystemMemory least() const {
    return {static_cast<uint64_t>(limit_), static_cast<uint64_t>(std::min(left_, limit_))};
  }

 private:
  double limit_ = kUnlimited, left_ = kUnlimited;
};

double page_bytes() { return static_cast<double>(::sysconf(_SC_PAGESIZE)); }

void add_machine(const std::string& root, Limits* limits) {
  const std::string file = root + "/proc/meminfo";
  const auto total = number_after(file, "MemTotal:"), free = number_after(file, "MemAvailable:");
  const double bytes =
      total ? *total * 1024 : static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * page_bytes();
  limits->add(bytes, free ? bytes - *free * 1024 : 0);
}

/** Adds the limits of a group, which has files of version 2 or of version 1. `memory.high` ends no
 * process, but makes it very slow. Version 1 also tells of limits above the mount. */
void add_group(const std::string& folder, Limits* limits) {
  const std::string stat = folder + "/memory.stat";
  double cache = 0;
  for (const char* name : {"active_file ", "inactive_file "}) {
    const auto below = number_after(stat, std::string("total_") + name);  // version 1
    cache += below ? *below : number_after(stat, name).value_or(0);
  }
  const auto held = [&](const char* usage) {
    return std::max(0.0, number_in(folder + usage).value_or(0) - cache);
  };
  const double used = held("/memory.current"), used_v1 = held("/memory.usage_in_bytes");
  limits->add(number_in(folder + "/memory.max"), used);
  limits->add(number_in(folder + "/memory.high"), used);
  limits->add(number_in(folder + "/memory.limit_in_bytes"), used_v1);
  limits->add(number_after(stat, "hierarchical_memory_limit "), used_v1);
}

/** `ulimit -v` and `ulimit -d`. */
void add_process(const std::string& root, Limits* limits) {
  const std::string file = root + "/proc/self/limits", status = root + "/proc/self/status";
  limits->add(number_after(file, "Max address space"),
              number_after(status, "VmSize:").value_or(0) * 1024);
  limits->add(number_after(file, "Max data size"),
              number_after(status, "VmData:").value_or(0) * 1024);
}

}  // namespace

SystemMemory system_memory(const std::string& root) {
  Limits limits;
  add_machine(root, &limits);
  for (const std::string& folder : control_group_folders("memory", root))
    add_group(folder, &limits);
  add_process(root, &limits);
  return limits.least();
}

#endif

}  // namespace cachalot
