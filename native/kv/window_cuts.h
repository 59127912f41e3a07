// How a text with a window goes on for ever in the memory of a few windows.
//
// At certain tokens, the same for every text of such a window, the text is cut. What follows stands
// below a preamble of two parts: the sinks, and the last `size` tokens before the cut. It begins at
// the same position after every cut, so no position is larger than about two windows, whatever
// the length of the text; the part of the last tokens is moved there by its readers' queries. What
// is further back is ordinary cache, and the first that is evicted.
#pragma once

#include <algorithm>

#include "kv/preamble_table.h"
#include "kv/segment.h"

namespace cachalot {

/** The most tokens of a text that is cut. */
constexpr int kMostWindowedTokens = 1 << 20;

/** A text is cut after `first` tokens, and again every `stride`. */
struct WindowCuts {
  int first = 0, stride = 0;  // 0: never

  int after(int begin) const {
    if (stride == 0) return INT32_MAX;
    return begin == 0 ? first : begin + stride;
  }
};

inline int round_up_to_slab(int n) { return (n + kTileTokens - 1) / kTileTokens * kTileTokens; }

/** Not within the first sinks + size tokens, whose rows read everything. */
inline WindowCuts window_cuts(const SequenceWindow& window) {
  constexpr int kLeast = 512;  // every cut adds a level of preambles
  return {round_up_to_slab(window.n_sinks + window.size),
          std::max(kLeast, round_up_to_slab(window.size))};
}

/** What stands before the tokens after a cut. `tokens`: those from the cut before to this one,
 * below `before`. */
inline PreambleRef preamble_after_cut(const PreambleRef& before, SharedTokens tokens,
                                      PreambleTable& table) {
  const SequenceWindow window = before->window;
  const int position = window_cuts(window).first;
  const auto n = static_cast<int>(tokens.size());
  std::vector<PreamblePart> parts;
  const bool is_first = before->parts.empty();
  if (is_first && window.n_sinks > 0)
    parts.push_back({tokens.first(static_cast<size_t>(window.n_sinks)), 0, 0, before});
  if (!is_first && window.n_sinks > 0) parts.push_back(before->parts.front());
  const int shift = position - before->position - n;
  parts.push_back({std::move(tokens), n - window.size, shift, before});
  return table.make(std::move(parts), position, window);
}

}  // namespace cachalot
