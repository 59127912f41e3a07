#include "kv/radix_tree.h"

#include <algorithm>

#include "base/check.h"
#include "base/common_prefix.h"

namespace cachalot {

// Erases children first and follows the pointers to parents: a recursion would be as deep as the
// tree, and a list of the work left would need memory.
RadixTree::~RadixTree() {
  for (auto& [key, root] : roots_) {
    for (KvSegment* segment = root.get(); segment != nullptr;) {
      if (!segment->children.empty()) {
        segment = segment->children.back().get();
      } else {
        segment = segment->parent;
        if (segment != nullptr) segment->children.pop_back();
      }
    }
  }
}

KvSegment* RadixTree::find_root(const TreeKey& key) const {
  const auto found = roots_.find(key);
  return found == roots_.end() ? nullptr : found->second.get();
}

KvSegment* RadixTree::root(const TreeKey& key) {
  if (KvSegment* found = find_root(key)) return found;
  auto root = std::make_unique<KvSegment>();
  root->position = first_position(key.preamble);
  return roots_.emplace(key, std::move(root)).first->second.get();
}

// Sequences that compute the same text at the same time are siblings that begin alike while they
// are open. The text may continue below any of them, so all of them are followed. No recursion: a
// tree may be as deep as a context has slabs.
RadixTree::Match RadixTree::match(KvSegment* root, std::span<const int32_t> tokens) {
  Match best{root, nullptr, 0};
  std::vector<KvSegment*> followed{root};
  while (!followed.empty()) {
    KvSegment* node = followed.back();
    followed.pop_back();
    if (node->end() > best.end()) best = {node, nullptr, 0};
    const auto rest = tokens.subspan(static_cast<size_t>(node->end()));
    for (const auto& child : node->children) {
      int n = common_prefix(child->tokens, rest);
      if (n > 0 && child->n_writers == 1) n = std::min(n, child->n_whole());
      const bool is_whole = n == static_cast<int>(child->tokens.size()) && n % kTileTokens == 0 &&
                            child->n_writers == 0;
      if (n > 0 && is_whole) followed.push_back(child.get());
      else if (node->end() + n > best.end()) best = {node, child.get(), n};
    }
  }
  return best;
}

KvSegment* RadixTree::insert(KvSegment* parent) {
  auto leaf = std::make_unique<KvSegment>();
  leaf->parent = parent;
  leaf->begin = parent->end();
  leaf->position = parent->position + static_cast<int>(parent->tokens.size());
  parent->children.push_back(std::move(leaf));
  n_segments_++;
  return parent->children.back().get();
}

// Slabs change hands here: [0, n_tokens / 32) of the segment become the upper part's, the rest
// stay.
KvSegment* RadixTree::split(KvSegment* segment, int n_tokens) {
  if (n_tokens == static_cast<int>(segment->tokens.size()) && segment->n_writers == 0)
    return segment;
  KvSegment* parent = segment->parent;
  auto own = std::find_if(parent->children.begin(), parent->children.end(),
                          [&](const auto& child) { return child.get() == segment; });
  auto upper = std::make_unique<KvSegment>();
  const auto n_slabs = static_cast<std::ptrdiff_t>(n_tokens / kTileTokens);
  upper->parent = parent;
  upper->begin = segment->begin;
  upper->position = segment->position;
  upper->worth = segment->worth;
  upper->ref_count = segment->ref_count > 0 ? 1 : 0;
  upper->tokens.assign(segment->tokens.begin(), segment->tokens.begin() + n_tokens);
  upper->slabs.assign(segment->slabs.begin(), segment->slabs.begin() + n_slabs);
  upper->children.reserve(1);  // nothing below needs memory, so the tree stays whole
  segment->tokens.erase(segment->tokens.begin(), segment->tokens.begin() + n_tokens);
  segment->slabs.erase(segment->slabs.begin(), segment->slabs.begin() + n_slabs);
  segment->hole_begin -= std::min(segment->hole_begin, static_cast<size_t>(n_slabs));
  segment->hole_end -= std::min(segment->hole_end, static_cast<size_t>(n_slabs));
  segment->begin += n_tokens;
  segment->position += n_tokens;
  segment->parent = upper.get();
  n_segments_++;
  upper->children.push_back(std::move(*own));
  *own = std::move(upper);
  return own->get();
}

void RadixTree::erase(KvSegment* leaf) {
  KvSegment* parent = leaf->parent;
  auto& siblings = parent->children;
  const auto own = std::find_if(siblings.begin(), siblings.end(),
                                [&](const auto& child) { return child.get() == leaf; });
  std::swap(*own, siblings.back());
  siblings.pop_back();
  n_segments_--;
  if (parent->parent == nullptr && siblings.empty())
    std::erase_if(roots_, [&](const auto& root) { return root.second.get() == parent; });
}

void RadixTree::check_invariants() const {
  int n_segments = -static_cast<int>(roots_.size());
  for_each([&](const KvSegment& segment) {
    n_segments++;
    CHECK(segment.begin % kTileTokens == 0, "a segment begins at a slab");
    CHECK(segment.slabs.size() >= slabs_for(segment.tokens.size()), "every token has a slab");
    CHECK(segment.children.empty() || segment.n_writers == 0, "an open segment is a leaf");
    CHECK(segment.hole_begin == segment.hole_end || segment.n_writers == 1,
          "only an open segment has a hole");
    CHECK(segment.children.empty() || segment.tokens.size() % kTileTokens == 0,
          "only a leaf ends inside a slab");
    for (const auto& child : segment.children) {
      CHECK(child->parent == &segment && child->begin == segment.end() &&
                child->position - child->begin == segment.position - segment.begin,
            "children continue their parent");
    }
  });
  CHECK(n_segments == n_segments_, "segments are counted along");
}

std::vector<uint32_t> context_slabs(const KvSegment* leaf) {
  std::vector<const KvSegment*> chain;
  for (const KvSegment* segment = leaf; segment != nullptr; segment = segment->parent)
    chain.push_back(segment);
  std::vector<uint32_t> slabs;
  for (auto segment = chain.rbegin(); segment != chain.rend(); ++segment)
    slabs.insert(slabs.end(), (*segment)->slabs.begin(), (*segment)->slabs.end());
  return slabs;
}

}  // namespace cachalot
