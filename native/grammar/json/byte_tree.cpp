#include "grammar/json/byte_tree.h"

#include <utility>

namespace cachalot {

ByteTree::ByteTree(std::vector<std::string> texts) : texts_(std::move(texts)) {
  nodes_.push_back({.end = static_cast<int32_t>(texts_.size())});
  std::vector<size_t> depths{0};
  for (size_t node = 0; node < nodes_.size(); node++) {
    const size_t depth = depths[node];
    nodes_[node].first_child = static_cast<int32_t>(nodes_.size());
    for (int32_t i = nodes_[node].first; i < nodes_[node].end; i++) {
      const std::string& text = texts_[static_cast<size_t>(i)];
      if (text.size() == depth) {
        nodes_[node].text = i;
        continue;
      }
      const auto byte = static_cast<uint8_t>(text[depth]);
      const bool is_new = nodes_[node].first_child == static_cast<int32_t>(nodes_.size()) ||
                          nodes_.back().byte != byte;
      if (is_new) {
        nodes_.push_back({.byte = byte, .first = i});
        depths.push_back(depth + 1);
      }
      nodes_.back().end = i + 1;
    }
    nodes_[node].end_child = static_cast<int32_t>(nodes_.size());
  }
}

int32_t ByteTree::child(int32_t node, uint8_t byte) const {
  for (int32_t i = at(node).first_child; i < at(node).end_child; i++)
    if (at(i).byte == byte) return i;
  return kNone;
}

}  // namespace cachalot
