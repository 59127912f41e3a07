// Ranges of code points as sequences of byte ranges of UTF-8.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "grammar/regex/code_points.h"

namespace cachalot {

struct ByteRange {
  uint8_t first, last;
};

/** The bytes of a code point; returns how many. */
inline int utf8_bytes(uint32_t value, uint8_t* bytes) {
  if (value < 0x80) {
    bytes[0] = static_cast<uint8_t>(value);
    return 1;
  }
  const int n = value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
  constexpr uint8_t kLeads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (int i = n - 1; i > 0; i--, value >>= 6) bytes[i] = 0x80 | (value & 0x3f);
  bytes[0] = static_cast<uint8_t>(kLeads[n] | value);
  return n;
}

struct DecodedCodePoint {
  uint32_t value;
  size_t n_bytes;
};

/** The first code point of a text, which is UTF-8. */
inline DecodedCodePoint first_code_point(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text.front());
  const size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  uint32_t value = n == 1 ? lead : lead & (0x7fu >> n);
  for (size_t i = 1; i < std::min(n, text.size()); i++)
    value = value << 6 | (static_cast<uint8_t>(text[i]) & 0x3f);
  return {value, n};
}

/** Calls visit(sequence) for sequences that hold [first, last] together, and nothing twice. */
template <typename Visit>
void split_utf8(uint32_t first, uint32_t last, const Visit& visit) {
  for (const uint32_t end : {0x7fu, 0x7ffu, 0xffffu}) {
    if (first > end || last <= end) continue;
    split_utf8(first, end, visit);
    return split_utf8(end + 1, last, visit);
  }
  // Each byte but the first must go through all of its values, or the ones before it be equal.
  for (int i = 1; i < 4; i++) {
    const uint32_t low = (1u << 6 * i) - 1;
    if (last < 0x80 || (first & ~low) == (last & ~low)) break;
    if ((first & low) != 0) {
      split_utf8(first, first | low, visit);
      return split_utf8((first | low) + 1, last, visit);
    }
    if ((last & low) != low) {
      split_utf8(first, (last & ~low) - 1, visit);
      return split_utf8(last & ~low, last, visit);
    }
  }
  uint8_t from[4], to[4];
  const int n = utf8_bytes(first, from);
  utf8_bytes(last, to);
  ByteRange sequence[4];
  for (int i = 0; i < n; i++) sequence[i] = {from[i], to[i]};
  visit(std::span<const ByteRange>(sequence, static_cast<size_t>(n)));
}

/** The same for a set, without the halves of surrogate pairs, which UTF-8 does not write. */
template <typename Visit>
void for_each_utf8_sequence(const CodePoints& set, const Visit& visit) {
  const CodePoints written = set.complement().complement();
  for (const CodePointRange& range : written.ranges()) split_utf8(range.first, range.last, visit);
}

}  // namespace cachalot
