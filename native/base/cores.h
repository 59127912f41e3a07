// How many cores there are for this process.
#pragma once

#include <string>

namespace cachalot {

/** Physical cores that this process may run on, limited by the quota of its container: the number
 * of threads that are fastest. Two threads on one core share its vector units, and more threads
 * than a quota allows are all stopped when it is used up. `root`: of the file system, for tests. */
int usable_cores(const std::string& root = "");

}  // namespace cachalot
