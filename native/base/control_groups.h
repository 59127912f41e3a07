// The control groups (cgroups) that this process is in, and what their files say: the limits of a
// container, whoever set them. Version 1, version 2, and both at once, nested at any depth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cachalot {

/** Folders of our group and of all that it is in, as far as they are mounted, where files of
 * `controller` ("memory", "cpu") may be. Those of an absent controller are there, too: without its
 * files. `root`: of the file system, for tests. */
std::vector<std::string> control_group_folders(const std::string& controller,
                                               const std::string& root);

/** The number that a file begins with; nothing for "max", and where there is no such file. */
std::optional<double> number_in(const std::string& file);

/** The number after a name at the beginning of a line, as in "MemTotal:  16384 kB". */
std::optional<double> number_after(const std::string& file, const std::string& name);

}  // namespace cachalot
