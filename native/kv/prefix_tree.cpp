#include "kv/prefix_tree.h"

#include <algorithm>

#include "base/check.h"
#include "base/common_prefix.h"

namespace cachalot {

PrefixTree::PrefixTree(KvPool& pool, std::function<void(const KvCopy&)> copy)
    : pool_(pool), copy_(std::move(copy)) {}

// Children first, by the pointers to parents: a recursion would be as deep as the tree, and a list
// of what is left to do would need memory.
PrefixTree::~PrefixTree() {
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

/** One user more: what it uses, and all above, is held. */
void PrefixTree::use(KvSegment* segment) {
  for (; segment != nullptr; segment = segment->parent) {
    if (is_cache(*segment)) order_.erase(segment);
    if (segment->n_users++ > 0) return;
    n_held_ += static_cast<int>(segment->runs.size());
  }
}

void PrefixTree::leave(KvSegment* segment) {
  for (; segment != nullptr; segment = segment->parent) {
    if (--segment->n_users > 0) return;
    n_held_ -= static_cast<int>(segment->runs.size());
    if (is_cache(*segment)) order_.insert(segment);
  }
}

KvSegment* PrefixTree::root(const std::string& key) {
  const auto found = roots_.find(key);
  if (found != roots_.end()) return found->second.get();
  return roots_.emplace(key, std::make_unique<KvSegment>()).first->second.get();
}

// Sequences that compute the same text at the same time are siblings that begin alike, for as long
// as they are open: each may be the one that goes on, so all that begin alike are followed. No
// recursion: a tree may be as deep as a context has blocks.
PrefixTree::Match PrefixTree::find(KvSegment* root, std::span<const int32_t> tokens) const {
  Match best{root, nullptr, 0};
  std::vector<KvSegment*> followed{root};
  while (!followed.empty()) {
    KvSegment* node = followed.back();
    followed.pop_back();
    if (node->end() > best.end()) best = {node, nullptr, 0};
    const auto rest = tokens.subspan(static_cast<size_t>(node->end()));
    for (const auto& child : node->children) {
      const int n = common_prefix(child->tokens, rest);
      const bool whole = n == static_cast<int>(child->tokens.size()) && n % kTileTokens == 0 &&
                         child->n_writers == 0;
      if (n > 0 && whole) followed.push_back(child.get());
      else if (node->end() + n > best.end()) best = {node, child.get(), n};
    }
  }
  return best;
}

int PrefixTree::match(const std::string& key, std::span<const int32_t> tokens) const {
  const auto found = roots_.find(key);
  if (found == roots_.end()) return 0;
  const Match match = find(found->second.get(), tokens);
  return match.end();
}

KvSegment* PrefixTree::add_leaf(KvSegment* parent) {
  auto leaf = std::make_unique<KvSegment>();
  leaf->parent = parent;
  leaf->begin = parent->end();
  leaf->n_writers = 1;
  order_.touch(leaf.get(), false);
  KvSegment* added = leaf.get();
  change(parent, [&] { parent->children.push_back(std::move(leaf)); });
  n_segments_++;
  use(added);
  return added;
}

KvSegment* PrefixTree::open(const std::string& key, std::span<const int32_t> tokens) {
  Match match = find(root(key), tokens);
  const auto touch = [&](KvSegment* used) { change(used, [&] { order_.touch(used, true); }); };
  for (KvSegment* used = match.node; used != nullptr; used = used->parent) touch(used);
  KvSegment* child = match.child;
  if (child == nullptr) return add_leaf(match.node);
  touch(child);
  const bool whole_leaf = match.n_child == static_cast<int>(child->tokens.size());
  if (whole_leaf && is_cache(*child) && !child->worth.retained) {
    use(child);
    child->n_writers = 1;  // a whole leaf that nobody uses: continue it where it ends
    return child;
  }
  const int whole = whole_blocks(match.n_child);
  if (whole > 0) match.node = split(child, whole);
  KvSegment* leaf = add_leaf(match.node);
  const int tail = match.n_child - whole;
  // The child begins at the tail: by the split, or because the match is shorter than a block.
  if (tail > 0) copy_tail(leaf, child, tail);
  return leaf;
}

// The upper part becomes a new segment between the parent and `segment`, which keeps its identity
// as the lower part: a sequence that writes it does not notice, and no block moves.
KvSegment* PrefixTree::split(KvSegment* segment, int n_tokens) {
  if (n_tokens == static_cast<int>(segment->tokens.size()) && segment->n_writers == 0)
    return segment;
  KvSegment* parent = segment->parent;
  auto own = std::find_if(parent->children.begin(), parent->children.end(),
                          [&](const auto& child) { return child.get() == segment; });
  auto upper = std::make_unique<KvSegment>();
  const auto n_runs = static_cast<std::ptrdiff_t>(n_tokens / kTileTokens);
  upper->parent = parent;
  upper->begin = segment->begin;
  upper->worth = segment->worth;
  upper->n_users = segment->n_users > 0 ? 1 : 0;
  upper->tokens.assign(segment->tokens.begin(), segment->tokens.begin() + n_tokens);
  upper->runs.assign(segment->runs.begin(), segment->runs.begin() + n_runs);
  upper->children.reserve(1);  // from here on no memory is needed, and the tree stays whole
  segment->tokens.erase(segment->tokens.begin(), segment->tokens.begin() + n_tokens);
  segment->runs.erase(segment->runs.begin(), segment->runs.begin() + n_runs);
  segment->begin += n_tokens;
  segment->parent = upper.get();
  n_segments_++;
  upper->children.push_back(std::move(*own));
  *own = std::move(upper);
  return own->get();
}

/** Copies tokens [0, n) of `source`'s first run into a fresh run of `leaf`; without memory the
 * match is just shorter. */
void PrefixTree::copy_tail(KvSegment* leaf, KvSegment* source, int n) {
  use(source);  // not to be evicted for the sake of its own copy
  const auto run = take_run();
  leave(source);
  if (!run) return;
  leaf->runs.push_back(*run);
  n_held_++;
  copy_({source->runs[0], *run, n});
  leaf->tokens.assign(source->tokens.begin(), source->tokens.begin() + n);
}

std::optional<uint32_t> PrefixTree::take_run() {
  while (pool_.n_free() == 0) {
    if (!evict_one()) return std::nullopt;
  }
  return pool_.take();
}

bool PrefixTree::reserve(KvSegment* leaf, int n) {
  const size_t before = leaf->runs.size();
  while (leaf->runs.size() < runs_of(leaf->tokens.size() + static_cast<size_t>(n))) {
    const auto run = take_run();
    if (!run) {
      give_runs(leaf, before);
      return false;
    }
    leaf->runs.push_back(*run);
    n_held_++;
  }
  return true;
}

void PrefixTree::commit(KvSegment* leaf, std::span<const int32_t> tokens) {
  CHECK(leaf->n_writers == 1, "only an open leaf is written");
  leaf->tokens.insert(leaf->tokens.end(), tokens.begin(), tokens.end());
  CHECK(runs_of(leaf->tokens.size()) <= leaf->runs.size(), "room was reserved before the step");
  order_.touch(leaf, false);
}

void PrefixTree::release(KvSegment* leaf) {
  CHECK(leaf->n_writers == 1, "a leaf is released once");
  give_runs(leaf, runs_of(leaf->tokens.size()));
  leaf->n_writers = 0;
  leave(leaf);
  if (leaf->tokens.empty()) remove(leaf);
  else drop_duplicates(leaf);
}

void PrefixTree::discard(KvSegment* leaf) {
  leaf->n_writers = 0;
  leave(leaf);
  if (!leaf->children.empty()) return;  // others already built on it, so it was sound when they did
  remove(leaf);
}

/** Two sequences that computed the same at the same time leave one copy. */
void PrefixTree::drop_duplicates(KvSegment* leaf) {
  KvSegment* parent = leaf->parent;
  for (size_t i = 0; i < parent->children.size(); i++) {
    KvSegment* other = parent->children[i].get();
    if (other == leaf) continue;
    const auto n = static_cast<size_t>(common_prefix(leaf->tokens, other->tokens));
    if (n == leaf->tokens.size() && leaf->children.empty()) return remove(leaf);
    if (n == other->tokens.size() && is_cache(*other)) {
      remove(other);
      i--;
    }
  }
}

void PrefixTree::give_runs(KvSegment* segment, size_t keep) {
  while (segment->runs.size() > keep) {
    pool_.give(segment->runs.back());
    segment->runs.pop_back();
    if (segment->n_users > 0) n_held_--;
  }
}

void PrefixTree::remove(KvSegment* segment) {
  CHECK(is_cache(*segment), "nobody uses what is removed");
  order_.erase(segment);
  give_runs(segment, 0);
  KvSegment* parent = segment->parent;
  auto& siblings = parent->children;
  const auto own = std::find_if(siblings.begin(), siblings.end(),
                                [&](const auto& child) { return child.get() == segment; });
  change(parent, [&] {
    std::swap(*own, siblings.back());
    siblings.pop_back();
  });
  n_segments_--;
  // A namespace of which nothing is left costs nothing.
  if (parent->parent == nullptr && parent->children.empty())
    std::erase_if(roots_, [&](const auto& root) { return root.second.get() == parent; });
}

std::vector<uint32_t> context_runs(const KvSegment* leaf) {
  std::vector<const KvSegment*> chain;
  for (const KvSegment* segment = leaf; segment != nullptr; segment = segment->parent)
    chain.push_back(segment);
  std::vector<uint32_t> runs;
  for (auto segment = chain.rbegin(); segment != chain.rend(); ++segment) {
    runs.insert(runs.end(), (*segment)->runs.begin(), (*segment)->runs.end());
  }
  return runs;
}

}  // namespace cachalot
