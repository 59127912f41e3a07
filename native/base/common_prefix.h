// How many tokens two texts have in common from their beginnings on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace cachalot {

inline int common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto end = a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<int>(std::mismatch(a.begin(), end, b.begin()).first - a.begin());
}

}  // namespace cachalot
