// The tokens that a sequence tries in a step beyond what it knows: a tree, in depth-first order. A
// draft that does not branch is a path.
#pragma once

#include <cstdint>
#include <vector>

namespace cachalot {

struct TokenTree {
  std::vector<int32_t> tokens;
  std::vector<int32_t> parents;  // -1: follows the sequence's own row

  int size() const { return static_cast<int>(tokens.size()); }
  int add(int32_t token, int parent) {
    tokens.push_back(token);
    parents.push_back(parent);
    return size() - 1;
  }
  /** The child of a node with a token; -1: there is none. */
  int find(int parent, int32_t token) const {
    for (int i = parent + 1; i < size(); i++)
      if (parents[static_cast<size_t>(i)] == parent && tokens[static_cast<size_t>(i)] == token)
        return i;
    return -1;
  }
  bool is_leaf(int node) const {
    return node + 1 == size() || parents[static_cast<size_t>(node) + 1] != node;
  }
  /** The nodes from the first guess to a node. */
  std::vector<int> path_to(int node) const {
    std::vector<int> path;
    for (; node >= 0; node = parents[static_cast<size_t>(node)]) path.insert(path.begin(), node);
    return path;
  }
};

}  // namespace cachalot
