// What may follow a sequence's tokens, as its speculators guess: a tree whose nodes are tokens.
// Equal guesses after equal tokens are one node.
#pragma once

#include <cstdint>
#include <vector>

#include "schedule/drafting/guess.h"

namespace cachalot {

struct GuessNode {
  int32_t token;
  int32_t parent;  // -1: the node follows the tokens that are known
  int32_t depth;   // 1 for these
  uint32_t kinds;  // a bit for each kind of guess that named it
  float value;     // the probability that it and all before it are right
  int32_t first_child = -1, next_sibling = -1;
};

/** Says which tokens may be guessed. */
class GuessFilter {
 public:
  static constexpr int32_t kForbidden = -1;

  virtual ~GuessFilter() = default;
  /** The place behind the tokens that are known. */
  virtual int32_t begin() = 0;
  /** The place behind a token; kForbidden: it cannot come there. */
  virtual int32_t after(int32_t place, int32_t token) = 0;
};

class GuessTree {
 public:
  static constexpr int kNone = -1;

  /** Forgets everything. Nodes will have at most these numbers. */
  void begin(const Acceptance& rates, int most_nodes, int most_depth,
             GuessFilter* filter = nullptr) {
    nodes_.clear();
    places_.clear();
    filter_ = filter;
    if (filter != nullptr) begin_ = filter->begin();
    rates_ = &rates;
    first_ = kNone;
    most_nodes_ = most_nodes;
    most_depth_ = most_depth;
  }

  /** Adds a guess after a node (-1: after the known tokens). Returns its node, or -1 if there is no
   * room for it. */
  int add(int parent, int32_t token, uint8_t kind) {
    const uint32_t bit = uint32_t{1} << kind;
    const float before = parent < 0 ? 1.0f : nodes_[static_cast<size_t>(parent)].value;
    const float value = before * rates_->rate(kind);
    if (const int known = find(parent, token); known >= 0) {
      GuessNode& node = nodes_[static_cast<size_t>(known)];
      node.kinds |= bit;
      node.value = node.value < value ? value : node.value;
      return known;
    }
    const int depth = parent < 0 ? 1 : nodes_[static_cast<size_t>(parent)].depth + 1;
    if (depth > most_depth_ || size() >= most_nodes_ || token < 0) return kNone;
    if (filter_ != nullptr && !may_come(parent, token)) return kNone;
    const auto index = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({token, parent, depth, bit, value, kNone, child_of(parent)});
    child_of(parent) = index;
    return index;
  }

  /** The child of a node with a token; -1: there is none. */
  int find(int parent, int32_t token) const {
    for (int child = first_child(parent); child >= 0;
         child = nodes_[static_cast<size_t>(child)].next_sibling)
      if (nodes_[static_cast<size_t>(child)].token == token) return child;
    return kNone;
  }
  int first_child(int parent) const {
    return parent < 0 ? first_ : nodes_[static_cast<size_t>(parent)].first_child;
  }

  const std::vector<GuessNode>& nodes() const { return nodes_; }
  int size() const { return static_cast<int>(nodes_.size()); }
  bool is_full() const { return size() >= most_nodes_; }
  int most_depth() const { return most_depth_; }
  const Acceptance& rates() const { return *rates_; }

 private:
  /** Notes the place of the node that is added. */
  bool may_come(int parent, int32_t token) {
    const int32_t before = parent < 0 ? begin_ : places_[static_cast<size_t>(parent)];
    const int32_t place =
        before == GuessFilter::kForbidden ? before : filter_->after(before, token);
    if (place != GuessFilter::kForbidden) places_.push_back(place);
    return place != GuessFilter::kForbidden;
  }

  int32_t& child_of(int parent) {
    return parent < 0 ? first_ : nodes_[static_cast<size_t>(parent)].first_child;
  }

  std::vector<GuessNode> nodes_;  // parents before children
  std::vector<int32_t> places_;   // of the nodes, for a filter
  GuessFilter* filter_ = nullptr;
  int32_t begin_ = 0;
  const Acceptance* rates_ = nullptr;
  int32_t first_ = kNone;  // child of the known tokens
  int most_nodes_ = 0, most_depth_ = 0;
};

}  // namespace cachalot
