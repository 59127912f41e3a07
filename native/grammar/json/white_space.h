// White space between the parts of a value: enough to indent it, and never without an end.
#pragma once

#include <cstdint>

namespace cachalot {

/** At most two line ends, and behind the last one eight spaces or tabs for each array or object
 * that is open, and two more; on the same line two. */
class WhiteSpace {
 public:
  static constexpr int32_t kNone = 0, kDead = -1;

  static bool is_white(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
  }

  /** `so_far`: kNone, or what this has returned. `depth`: how many arrays and objects are open. */
  static int32_t next(int32_t so_far, uint8_t byte, int32_t depth) {
    const int32_t lines = so_far / kLine, column = so_far % kLine;
    if (byte == '\n') return lines < 2 ? (lines + 1) * kLine : kDead;
    const int32_t most = lines == 0 ? 2 : 2 + 8 * depth;
    return column < most && column + 1 < kLine ? so_far + 1 : kDead;
  }

 private:
  static constexpr int32_t kLine = 1 << 16;
};

}  // namespace cachalot
