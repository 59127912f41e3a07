// Sets of Unicode code points, as sorted ranges that do not touch.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace cachalot {

struct CodePointRange {
  uint32_t first, last;
  bool operator==(const CodePointRange&) const = default;
};

/** Halves of surrogate pairs, which UTF-8 does not write. */
constexpr CodePointRange kSurrogates{0xd800, 0xdfff};
constexpr bool is_surrogate(uint32_t value) {
  return value >= kSurrogates.first && value <= kSurrogates.last;
}

class CodePoints {
 public:
  static constexpr uint32_t kLast = 0x10ffff;

  CodePoints() = default;
  static CodePoints one(uint32_t value) { return {CodePointRange{value, value}}; }
  CodePoints(std::initializer_list<CodePointRange> ranges) {
    for (const CodePointRange& range : ranges) add(range.first, range.last);
  }
  void add(uint32_t first, uint32_t last);
  void add(const CodePoints& other) {
    for (const CodePointRange& range : other.ranges_) add(range.first, range.last);
  }
  /** All that can be written in UTF-8 and is not here: halves of surrogate pairs cannot. */
  CodePoints complement() const;
  const std::vector<CodePointRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }

  // As ECMAScript has them.
  static CodePoints digits() { return {CodePointRange{'0', '9'}}; }
  static CodePoints word_characters() { return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}; }
  static CodePoints spaces();
  static CodePoints line_ends() { return {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}; }

 private:
  std::vector<CodePointRange> ranges_;
};

}  // namespace cachalot
