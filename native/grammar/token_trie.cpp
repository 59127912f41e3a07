#include "grammar/token_trie.h"

#include <algorithm>

namespace cachalot {

TokenTrie::TokenTrie(std::vector<int32_t> tokens, const BytesOf& bytes_of) {
  std::ranges::stable_sort(tokens, [&](int32_t a, int32_t b) {
    return std::ranges::lexicographical_compare(bytes_of(a), bytes_of(b));
  });
  std::vector<int32_t> open;  // nodes from the root to the last token
  const auto close = [&](size_t depth) {
    for (; open.size() > depth; open.pop_back())
      nodes_[static_cast<size_t>(open.back())].end = static_cast<int32_t>(nodes_.size());
  };
  std::span<const uint8_t> last;
  for (const int32_t token : tokens) {
    const auto text = bytes_of(token);
    const auto n_same = static_cast<size_t>(std::ranges::mismatch(text, last).in1 - text.begin());
    if (n_same < last.size() || n_same < text.size()) close(n_same);
    for (size_t i = n_same; i < text.size(); i++) {
      open.push_back(static_cast<int32_t>(nodes_.size()));
      const auto first = static_cast<int32_t>(tokens_.size());
      nodes_.push_back({0, first, first, static_cast<uint16_t>(i), text[i]});
    }
    tokens_.push_back(token);
    nodes_[static_cast<size_t>(open.back())].end_token = static_cast<int32_t>(tokens_.size());
    depth_ = std::max(depth_, static_cast<int>(text.size()));
    last = text;
  }
  close(0);
}

int32_t TokenTrie::longest(std::span<const uint8_t> text) const {
  int32_t found = -1;
  const auto n = static_cast<int32_t>(nodes_.size());
  int32_t at = 0, end = n;  // the nodes below the text so far
  for (size_t depth = 0; depth < text.size(); depth++) {
    while (at < end && nodes_[static_cast<size_t>(at)].byte != text[depth])
      at = nodes_[static_cast<size_t>(at)].end;
    if (at == end) break;
    const Node& node = nodes_[static_cast<size_t>(at)];
    if (node.first_token < node.end_token) found = tokens_[static_cast<size_t>(node.first_token)];
    end = node.end;
    at++;
  }
  return found;
}

}  // namespace cachalot
