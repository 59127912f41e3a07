// Tokens as a tree of their bytes: those that begin alike are read together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "grammar/recognizer.h"

namespace cachalot {

class TokenTrie {
 public:
  using BytesOf = std::function<std::span<const uint8_t>(int32_t token)>;

  TokenTrie() = default;
  TokenTrie(std::vector<int32_t> tokens, const BytesOf& bytes_of);

  /** The longest token with which a text begins; -1: there is none. */
  int32_t longest(std::span<const uint8_t> text) const;

  /** Sets the bits of the tokens that a recognizer can read from `state` on. `mask`: a bit for each
   * token of the vocabulary. */
  template <typename Reader>
  void allow(Reader& reader, Recognizer::State state, uint32_t* mask) const {
    std::vector<Recognizer::State> states(static_cast<size_t>(depth_) + 1);
    states[0] = state;
    const auto n = static_cast<int32_t>(nodes_.size());
    for (int32_t i = 0; i < n;) {
      const Node& node = nodes_[static_cast<size_t>(i)];
      const auto next = reader.next(states[node.depth], node.byte);
      if (next == Recognizer::kDead) {
        i = node.end;
        continue;
      }
      states[node.depth + 1u] = next;
      for (int32_t at = node.first_token; at < node.end_token; at++) {
        const auto token = static_cast<uint32_t>(tokens_[static_cast<size_t>(at)]);
        mask[token / 32] |= uint32_t{1} << (token % 32);
      }
      i++;
    }
  }

 private:
  /** A prefix of tokens; those below it come next. */
  struct Node {
    int32_t end;                     // the node after those below
    int32_t first_token, end_token;  // that end here, in tokens_
    uint16_t depth;                  // bytes before this one
    uint8_t byte;
  };

  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;
  int depth_ = 0;
};

}  // namespace cachalot
