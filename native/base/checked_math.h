// Sizes computed from numbers in a file: every product and sum is checked, so that no count from a
// hostile file can wrap around into a small one (CVE-2024-21802, CVE-2025-53630, CVE-2026-27940).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace cachalot {

inline std::optional<uint64_t> checked_multiply(uint64_t a, uint64_t b) {
  if (a != 0 && b > std::numeric_limits<uint64_t>::max() / a) return std::nullopt;
  return a * b;
}

inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  if (b > std::numeric_limits<uint64_t>::max() - a) return std::nullopt;
  return a + b;
}

/** The smallest multiple of `unit` that is >= value; nothing if it does not fit. */
inline std::optional<uint64_t> checked_round_up(uint64_t value, uint64_t unit) {
  const auto sum = checked_add(value, unit - 1);
  if (!sum) return std::nullopt;
  return *sum / unit * unit;
}

}  // namespace cachalot
