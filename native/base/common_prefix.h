// The length of the common prefix of two texts of token ids.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace cachalot {

/** The number of first tokens that are equal. */
inline int common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto n = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<int>(std::mismatch(a.begin(), a.begin() + n, b.begin()).first - a.begin());
}

}  // namespace cachalot
