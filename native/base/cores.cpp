#include "base/cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <thread>

#ifdef __linux__
#include <sched.h>

#include "base/control_groups.h"
#endif

namespace cachalot {

namespace {

int logical_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

#ifdef __linux__

/** The processors that the scheduler may put us on. */
std::set<int> allowed_processors() {
  std::set<int> allowed;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return allowed;  // more than 1024 processors
  for (int processor = 0; processor < CPU_SETSIZE; processor++)
    if (CPU_ISSET(processor, &set)) allowed.insert(processor);
  return allowed;
}

/** The number of cores: processors that share a core count once. */
int physical_cores(const std::string& root, const std::set<int>& processors) {
  std::set<std::string> cores;
  for (const int processor : processors) {
    std::string siblings;  // as "0,64" or "0-1": the same for all processors of a core
    std::ifstream(root + "/sys/devices/system/cpu/cpu" + std::to_string(processor) +
                  "/topology/thread_siblings_list") >>
        siblings;
    cores.insert(siblings.empty() ? std::to_string(processor) : siblings);
  }
  return static_cast<int>(cores.size());
}

/** How many processors' time a group may use, or infinity. Version 2 says "max 100000" or
 * "150000 100000", version 1 has -1 for no limit. */
double quota_of(const std::string& folder) {
  double time = 0, period = 0;  // a failed read, of "max" too, leaves 0
  std::ifstream(folder + "/cpu.max") >> time >> period;
  if (time <= 0) {
    time = number_in(folder + "/cpu.cfs_quota_us").value_or(0);
    period = number_in(folder + "/cpu.cfs_period_us").value_or(0);
  }
  return time > 0 && period > 0 ? time / period : INFINITY;
}

/** The least quota of our group and those it is in. */
double cpu_quota(const std::string& root) {
  double least = INFINITY;
  for (const std::string& folder : control_group_folders("cpu", root))
    least = std::min(least, quota_of(folder));
  return least;
}

#endif

}  // namespace

int usable_cores(const std::string& root) {
#ifdef __linux__
  const std::set<int> processors = allowed_processors();
  const int cores = processors.empty() ? logical_cores() : physical_cores(root, processors);
  const double quota = std::max(1.0, std::round(cpu_quota(root)));
  return quota < cores ? static_cast<int>(quota) : cores;
#else
  (void)root;
  return logical_cores();
#endif
}

}  // namespace cachalot
