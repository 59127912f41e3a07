// Texts as a tree of their bytes; each node knows the texts below it, which are numbered in order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cachalot {

class ByteTree {
 public:
  static constexpr int32_t kNone = -1, kRoot = 0;

  /** `texts`: ascending, none twice. */
  explicit ByteTree(std::vector<std::string> texts);

  int32_t child(int32_t node, uint8_t byte) const;
  bool has_children(int32_t node) const { return at(node).first_child != at(node).end_child; }
  /** The text that ends here; kNone. */
  int32_t text(int32_t node) const { return at(node).text; }
  const std::string& operator[](int32_t text) const { return texts_[static_cast<size_t>(text)]; }
  /** Texts [first, end) begin like this. */
  int32_t first(int32_t node) const { return at(node).first; }
  int32_t end(int32_t node) const { return at(node).end; }

 private:
  struct Node {
    uint8_t byte = 0;
    int32_t text = kNone, first = 0, end = 0;
    int32_t first_child = 0, end_child = 0;
  };
  const Node& at(int32_t node) const { return nodes_[static_cast<size_t>(node)]; }

  std::vector<std::string> texts_;
  std::vector<Node> nodes_;  // breadth first: children stand together
};

}  // namespace cachalot
