// What has to come once among the parts of a value ("contains", or the opposite of what holds for
// all parts) is settled by a part that fits it, too. Which of it is left, in all ways.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace cachalot {

class Settling {
 public:
  static constexpr size_t kMost = 4;  // things to settle, as bits
  static constexpr int64_t kNever = int64_t{1} << 60;

  explicit Settling(uint32_t unsettled) {
    parts_.fill(kNever);
    parts_[unsettled] = 0;
  }

  /** A part may come, once, and settle one of these sets; it counts as `cost` parts. */
  void take(std::span<const uint32_t> sets, int64_t cost) {
    auto after = parts_;
    for (uint32_t left = 0; left < parts_.size(); left++)
      for (const uint32_t set : sets)
        after[left & ~set] = std::min(after[left & ~set], parts_[left] + cost);
    parts_ = after;
  }

  /** The same for as many parts as there are things to settle. */
  void take_any(std::span<const uint32_t> sets, int64_t cost) {
    for (size_t i = 0; i < kMost; i++) take(sets, cost);
  }

  /** The fewest parts that settle all; kNever: none do. */
  int64_t fewest() const { return parts_[0]; }

 private:
  std::array<int64_t, 1u << kMost> parts_{};  // by what is left
};

}  // namespace cachalot
