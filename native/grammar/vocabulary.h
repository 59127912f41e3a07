// The vocabulary's tokens, by their bytes: those that a JSON string may hold as they are, and
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "grammar/recognizer.h"
#include "grammar/token_trie.h"

namespace cachalot {

class Vocabulary {
 public:
  /** Token i has bytes [ends[i - 1], ends[i]). Those of no bytes, as special tokens are given, are
   * never allowed. Throws invalid_argument if the ends are not ascending. */
  Vocabulary(std::span<const uint8_t> bytes, std::span<const int32_t> ends);

  int32_t vocabulary() const { return static_cast<int32_t>(ends_.size()); }
  std::span<const uint8_t> bytes_of(int32_t token) const;

  /** The longest token with which a text begins; -1: there is none. */
  int32_t longest(std::span<const uint8_t> text) const;

  /** Sets the bits of the tokens that a recognizer can read from `state` on. */
  template <typename Reader>
  void allow(Reader& reader, Recognizer::State state, uint32_t* mask) const {
    plain_.allow(reader, state, mask);
    others_.allow(reader, state, mask);
  }
  /** Sets those of the plain tokens of at most so many code points. */
  void allow_plain(int64_t most, uint32_t* mask) const;

  /** Whole code points, none of which ends a string or is escaped in it. */
  const TokenTrie& plain() const { return plain_; }
  const TokenTrie& others() const { return others_; }

 private:
  static void set(int32_t token, uint32_t* mask) {
    mask[static_cast<size_t>(token) / 32] |= uint32_t{1} << (token % 32);
  }

  std::vector<uint8_t> bytes_;
  std::vector<int32_t> ends_;
  TokenTrie plain_, others_;
  std::vector<std::pair<int64_t, int32_t>> by_length_;  // plain ones: code points, token
  std::vector<std::vector<uint32_t>> plain_masks_;      // of those of at most i code points
};

}  // namespace cachalot
