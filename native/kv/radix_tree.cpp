#include "kv/radix_tree.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "base/common_prefix.h"

namespace cachalot {

namespace {

using Children = std::vector<std::unique_ptr<KvSegment>>;

bool is_before(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::ranges::lexicographical_compare(a, b);
}

Children::iterator place_of(const KvSegment* segment) {
  return std::ranges::find(segment->parent->children, segment, &Children::value_type::get);
}

/** The children that continue a text furthest into their first slabs: all of them, if that is
 * whole slabs, or else one. Of all texts in order, neighbours have most in common. */
std::span<const std::unique_ptr<KvSegment>> nearest(const Children& children,
                                                    std::span<const int32_t> text) {
  const auto first_slab = text.first(std::min(text.size(), size_t{kTileTokens}));
  const auto slab_of = [](const auto& child) { return child->first_slab(); };
  const auto next = std::ranges::lower_bound(children, first_slab, is_before, slab_of);
  const auto n_common = [&](Children::const_iterator child) {
    return common_prefix((*child)->first_slab(), first_slab);
  };
  const int n_next = next == children.end() ? 0 : n_common(next);
  const int n_before = next == children.begin() ? 0 : n_common(next - 1);
  if (n_before > 0 && n_before >= n_next) return {next - 1, next};  // perhaps whole
  if (n_next == 0) return {};
  auto end = next + 1;
  while (n_next == kTileTokens && end != children.end() && n_common(end) == kTileTokens) ++end;
  return {next, end};
}

}  // namespace

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
    for (const auto& child : nearest(node->children, rest)) {
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
  parent->children.insert(parent->children.begin(), std::move(leaf));
  n_segments_++;
  return parent->children.front().get();
}

void RadixTree::append(KvSegment* leaf, std::span<const int32_t> tokens) {
  const bool may_move = leaf->tokens.size() < kTileTokens;
  leaf->tokens.insert(leaf->tokens.end(), tokens.begin(), tokens.end());
  if (!may_move) return;
  // A text stands before all those that it begins, so it only moves back as it grows.
  Children& siblings = leaf->parent->children;
  const auto place = place_of(leaf);
  const auto stays_before = [&](const auto& other) {
    return !is_before(other->first_slab(), leaf->first_slab());
  };
  if (place + 1 == siblings.end() || stays_before(place[1])) return;
  std::rotate(place, place + 1,
              std::partition_point(place + 1, siblings.end(), std::not_fn(stays_before)));
}

// Slabs change hands here: [0, n_tokens / 32) of the segment become the upper part's, the rest
// stay.
KvSegment* RadixTree::split(KvSegment* segment, int n_tokens) {
  if (n_tokens == static_cast<int>(segment->tokens.size()) && segment->n_writers == 0)
    return segment;
  KvSegment* parent = segment->parent;
  const auto own = place_of(segment);
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
  siblings.erase(place_of(leaf));
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
    const auto slab_of = [](const auto& child) { return child->first_slab(); };
    CHECK(std::ranges::is_sorted(segment.children, is_before, slab_of), "children are in order");
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
