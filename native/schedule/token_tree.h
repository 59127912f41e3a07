// The tokens that a sequence adds to a step, each with the index of the one before it. A chunk of a
// prompt is a path, a decoding step is one node, a speculation branches. There is no other
// difference between these.
#pragma once

#include <cstdint>
#include <span>

namespace cachalot {

struct TokenTree {
  std::span<const int32_t> tokens;
  std::span<const int32_t> parents;  // -1: follows the sequence's context

  int size() const { return static_cast<int>(tokens.size()); }

  bool is_path() const {
    for (int i = 0; i < size(); i++) {
      if (parents[static_cast<size_t>(i)] != i - 1) return false;
    }
    return true;
  }
};

}  // namespace cachalot
