// The control groups (cgroups) that this process is in, and the numbers in their files: the limits
// of a container. Version 1, version 2, and both at once, nested at any depth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cachalot {

/** Folders of our group and of all groups above it, as far as they are mounted. Files of
 * `controller` ("memory", "cpu") may be there; a folder without the controller has none. `root`: of
 * the file system, for tests. */
std::vector<std::string> control_group_folders(const std::string& controller,
                                               const std::string& root);

/** The number at the beginning of a file; nothing for "max", and if there is no such file. */
std::optional<double> number_in(const std::string& file);

/** The number after a name at the beginning of a line, as in "MemTotal:  16384 kB". */
std::optional<double> number_after(const std::string& file, const std::string& name);

}  // namespace cachalot
