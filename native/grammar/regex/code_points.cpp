#include "grammar/regex/code_points.h"

#include <algorithm>

namespace cachalot {

void CodePoints::add(uint32_t first, uint32_t last) {
  if (first > last) return;
  // Ranges that overlap or touch the new one become part of it.
  const auto begin = std::ranges::find_if(
      ranges_, [&](const CodePointRange& range) { return range.last + 1 >= first; });
  auto end = begin;
  for (; end != ranges_.end() && end->first <= last + 1; ++end) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
  }
  const auto at = ranges_.erase(begin, end);
  ranges_.insert(at, {first, last});
}

CodePoints CodePoints::complement() const {
  CodePoints all = *this;
  all.add(kSurrogates.first, kSurrogates.last);
  CodePoints rest;
  uint32_t next = 0;
  for (const CodePointRange& range : all.ranges_) {
    if (range.first > next) rest.add(next, range.first - 1);
    next = range.last + 1;
  }
  if (next <= kLast) rest.add(next, kLast);
  return rest;
}

CodePoints CodePoints::spaces() {
  return {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
          {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
}

}  // namespace cachalot
