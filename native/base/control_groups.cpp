#include "base/control_groups.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace cachalot {

namespace {

constexpr const char* kUsualMount = "/sys/fs/cgroup";  // of version 2, if mountinfo names no mount

/** A hierarchy of groups as the file system shows it. */
struct Mount {
  std::string top;    // the group that is seen at `point`; "/" for all
  std::string point;  // where
};

bool lists(const std::string& names, const std::string& name) {
  std::istringstream list(names);
  for (std::string one; std::getline(list, one, ',');)
    if (one == name) return true;
  return false;
}

/** mountinfo writes a space as \040. */
std::string unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); i++) {
    const bool is_code = text[i] == '\\' && i + 3 < text.size() &&
                         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                     text.begin() + static_cast<std::ptrdiff_t>(i) + 4,
                                     [](char c) { return c >= '0' && c <= '7'; });
    if (!is_code) {
      plain += text[i];
      continue;
    }
    plain +=
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
    i += 3;
  }
  return plain;
}

/** Version 1 has a hierarchy per controller or several of them, version 2 one for all, named "". */
std::vector<Mount> mounts_of(const std::string& controller, const std::string& root) {
  std::vector<Mount> mounts;
  std::string line;
  for (std::ifstream file(root + "/proc/self/mountinfo"); std::getline(file, line);) {
    // id parent device top point options [more ...] - type source options-of-the-hierarchy
    const size_t separator = line.find(" - ");
    if (separator == std::string::npos) continue;
    std::string skipped, top, point, type, source, options;
    std::istringstream(line.substr(0, separator)) >> skipped >> skipped >> skipped >> top >> point;
    std::istringstream(line.substr(separator + 3)) >> type >> source >> options;
    const bool fits =
        controller.empty() ? type == "cgroup2" : type == "cgroup" && lists(options, controller);
    if (fits) mounts.push_back({unescape(top), unescape(point)});
  }
  if (mounts.empty() && controller.empty()) mounts.push_back({"/", kUsualMount});
  return mounts;
}

/** The path of our group in a hierarchy; "/" if no file gives it. */
std::string group_of(const std::string& controller, const std::string& root) {
  std::string line;
  for (std::ifstream file(root + "/proc/self/cgroup"); std::getline(file, line);) {
    // number:controllers:path
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : lists(names, controller))
      return line.substr(second + 1);
  }
  return "/";
}

/** The path from a mount to our group. A group may lie outside the mount, as with a namespace
 * ("/../other") or a mount of a single group; then only the mount itself is seen. */
std::string path_below(const std::string& top, const std::string& group) {
  const std::string above = top == "/" ? "" : top;
  const bool is_below = group.rfind(above, 0) == 0 &&
                        (group.size() == above.size() || group[above.size()] == '/') &&
                        group.find("/..") == std::string::npos;
  const std::string path = is_below ? group.substr(above.size()) : "";
  return path == "/" ? "" : path;
}

}  // namespace

std::vector<std::string> control_group_folders(const std::string& controller,
                                               const std::string& root) {
  std::vector<std::string> folders;
  for (const std::string& hierarchy : {std::string(), controller}) {
    const std::string group = group_of(hierarchy, root);
    for (const Mount& mount : mounts_of(hierarchy, root)) {
      std::string path = path_below(mount.top, group);
      for (; !path.empty(); path.resize(path.rfind('/')))
        folders.push_back(root + mount.point + path);
      folders.push_back(root + mount.point);
    }
  }
  return folders;
}

std::optional<double> number_in(const std::string& file) {
  double value = 0;
  std::ifstream stream(file);
  return stream >> value ? std::optional(value) : std::nullopt;
}

std::optional<double> number_after(const std::string& file, const std::string& name) {
  std::string line;
  for (std::ifstream stream(file); std::getline(stream, line);) {
    double value = 0;
    if (line.rfind(name, 0) == 0 && std::istringstream(line.substr(name.size())) >> value)
      return value;
  }
  return std::nullopt;
}

}  // namespace cachalot
