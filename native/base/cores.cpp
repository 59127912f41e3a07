#include "base/cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace cachalot {

namespace {

int logical_cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

#ifdef __linux__

/** The processors that the scheduler may put us on. */
std::set<int> allowed_processors() {
  std::set<int> allowed;
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return allowed;  // more than 1024 of them
  for (int processor = 0; processor < CPU_SETSIZE; processor++)
    if (CPU_ISSET(processor, &set)) allowed.insert(processor);
  return allowed;
}

/** Those that share a core count once. */
int physical_cores(const std::string& root, const std::set<int>& processors) {
  std::set<std::string> cores;
  for (const int processor : processors) {
    std::string siblings;  // as "0,64" or "0-1": the same for all of a core
    std::ifstream(root + "/sys/devices/system/cpu/cpu" + std::to_string(processor) +
                  "/topology/thread_siblings_list") >>
        siblings;
    cores.insert(siblings.empty() ? std::to_string(processor) : siblings);
  }
  return static_cast<int>(cores.size());
}

/** Processors' worth of time, or infinity. The file says "max 100000" or "150000 100000". */
double quota_of(const std::string& folder) {
  double time = 0, period = 0;  // a failed read, of "max" too, leaves 0
  std::ifstream(folder + "/cpu.max") >> time >> period;
  return time > 0 && period > 0 ? time / period : INFINITY;
}

/** The least quota of our group and those it is in (cgroup v2). */
double cpu_quota(const std::string& root) {
  const std::string top = root + "/sys/fs/cgroup";
  double least = quota_of(top);
  std::string line;
  for (std::ifstream groups(root + "/proc/self/cgroup"); std::getline(groups, line);) {
    if (line.rfind("0::/", 0) != 0) continue;
    for (std::string path = line.substr(3); path.size() > 1; path.resize(path.rfind('/')))
      least = std::min(least, quota_of(top + path));
  }
  return least;
}

#endif

}  // namespace

int usable_cores(const std::string& root) {
#ifdef __linux__
  const std::set<int> processors = allowed_processors();
  if (processors.empty()) return logical_cores();
  const double quota = std::max(1.0, std::round(cpu_quota(root)));
  const int cores = physical_cores(root, processors);
  return quota < cores ? static_cast<int>(quota) : cores;
#else
  (void)root;
  return logical_cores();
#endif
}

}  // namespace cachalot
