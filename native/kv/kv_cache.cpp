#include "kv/kv_cache.h"

#include <algorithm>
#include <ranges>
#include <set>

#include "base/check.h"
#include "base/common_prefix.h"

namespace cachalot {

KvCache::KvCache(KvPool& pool, std::function<void(const KvCopy&)> copy)
    : pool_(pool), copy_(std::move(copy)) {}

int64_t KvCache::available_bytes() const {
  return static_cast<int64_t>(pool_.bytes()) -
         int64_t{references_.n_held()} * static_cast<int64_t>(pool_.slab_bytes());
}

int KvCache::match(const TreeKey& key, std::span<const int32_t> tokens) const {
  KvSegment* root = tree_.find_root(key);
  return root == nullptr ? 0 : RadixTree::match(root, tokens).end();
}

KvSegment* KvCache::add_leaf(KvSegment* parent) {
  KvSegment* leaf = nullptr;
  references_.update(parent, [&] { leaf = tree_.insert(parent); });
  leaf->n_writers = 1;
  references_.order().touch(leaf, false);
  references_.retain(leaf);
  return leaf;
}

/** Notes that a segment and all above it were found. */
void KvCache::touch_path(KvSegment* last) {
  for (KvSegment* used = last; used != nullptr; used = used->parent)
    references_.update(used, [&] { references_.order().touch(used, true); });
}

KvSegment* KvCache::open(const TreeKey& key, std::span<const int32_t> tokens) {
  RadixTree::Match match = RadixTree::match(tree_.root(key), tokens);
  KvSegment* child = match.child;
  touch_path(child == nullptr ? match.node : child);
  if (child == nullptr) return add_leaf(match.node);
  if (match.is_whole_child() && is_cache(*child) && !child->worth.is_kept) {
    references_.retain(child);
    child->n_writers = 1;  // a whole leaf that nothing references: the sequence goes on in it
    return child;
  }
  const int n_whole = whole_slab_tokens(match.n_child);
  if (n_whole > 0) match.node = tree_.split(child, n_whole);
  KvSegment* leaf = add_leaf(match.node);
  const int tail = match.n_child - n_whole;
  // The child begins at the tail: by the split, or because the match is shorter than a slab.
  if (tail > 0) copy_tail(leaf, child, tail);
  return leaf;
}

/** Copies tokens [0, n) of the source's first slab into a new slab of `leaf`. Without memory the
 * match is only shorter. */
void KvCache::copy_tail(KvSegment* leaf, KvSegment* source, int n) {
  references_.retain(source);  // allocating the copy's slab must not evict it
  const auto slab = allocate_slab();
  references_.drop(source);
  if (!slab) return;
  references_.add_slab(leaf, *slab);
  copy_({source->slabs[0], *slab, 0, n});
  RadixTree::append(leaf, std::span(source->tokens).first(static_cast<size_t>(n)));
}

std::optional<uint32_t> KvCache::allocate_slab() {
  while (pool_.is_full()) {
    const KvSegment* next = references_.order().choose_victim();
    if (!reclaim_(next == nullptr ? nullptr : &next->worth) && !evict_one()) return std::nullopt;
  }
  return pool_.allocate();
}

bool KvCache::reserve(KvSegment* leaf, int n) {
  const size_t before = leaf->slabs.size();
  while (leaf->slabs.size() < slabs_for(leaf->tokens.size() + static_cast<size_t>(n))) {
    const auto slab = allocate_slab();
    if (!slab) {
      free_slabs(leaf, before);
      return false;
    }
    references_.add_slab(leaf, *slab);
  }
  return true;
}

void KvCache::commit(KvSegment* leaf, std::span<const int32_t> tokens) {
  CHECK(leaf->n_writers == 1, "only an open leaf is written");
  RadixTree::append(leaf, tokens);
  CHECK(slabs_for(leaf->tokens.size()) <= leaf->slabs.size(), "room was reserved before the step");
  references_.order().touch(leaf, false);
}

void KvCache::release(KvSegment* leaf) {
  CHECK(leaf->n_writers == 1, "a leaf is released once");
  close_hole(leaf);
  free_slabs(leaf, slabs_for(leaf->tokens.size()));
  leaf->n_writers = 0;
  references_.drop(leaf);
  if (leaf->tokens.empty()) remove(leaf);
  else drop_duplicates(leaf);
}

void KvCache::discard(KvSegment* leaf) {
  close_hole(leaf);
  leaf->n_writers = 0;
  references_.drop(leaf);
  if (!leaf->children.empty()) return;  // its KV was good when others built on it
  remove(leaf);
}

/** Keeps one copy if two sequences have computed the same text at the same time. */
void KvCache::drop_duplicates(KvSegment* leaf) {
  KvSegment* parent = leaf->parent;
  for (size_t i = 0; i < parent->children.size(); i++) {
    KvSegment* other = parent->children[i].get();
    if (other == leaf) continue;
    auto n = static_cast<size_t>(common_prefix(leaf->tokens, other->tokens));
    if (n > 0) n = std::min(n, static_cast<size_t>(other->n_whole()));
    if (n == leaf->tokens.size() && leaf->children.empty()) return remove(leaf);
    if (n == other->tokens.size() && is_cache(*other)) {
      remove(other);
      i--;
    }
  }
}

/** Gives the last slabs of a segment back to the pool, until `keep` are left. */
void KvCache::free_slabs(KvSegment* segment, size_t keep) {
  while (segment->slabs.size() > keep) {
    const uint32_t slab = references_.remove_slab(segment);
    if (slab != kNoSlab) pool_.free(slab);
  }
}

void KvCache::remove(KvSegment* segment) {
  CHECK(is_cache(*segment), "nothing references a segment that is removed");
  references_.forget(segment);
  free_slabs(segment, 0);
  KvSegment* parent = segment->parent;
  if (parent->parent == nullptr) tree_.erase(segment);  // the root may go, too; it is no cache
  else references_.update(parent, [&] { tree_.erase(segment); });
}

KvSegment* KvCache::pin(const TreeKey& key, std::span<const int32_t> tokens) {
  const auto whole =
      tokens.first(static_cast<size_t>(whole_slab_tokens(static_cast<int>(tokens.size()))));
  if (whole.empty()) return nullptr;
  KvSegment* root = tree_.find_root(key);
  if (root == nullptr) return nullptr;
  const RadixTree::Match match = RadixTree::match(root, whole);
  const int n_child = whole_slab_tokens(match.n_child);
  if (n_child == 0 && match.node == root) return nullptr;
  return pin(n_child == 0 ? match.node : tree_.split(match.child, n_child));
}

KvSegment* KvCache::pin(KvSegment* segment) {
  segment->n_pins++;
  references_.retain(segment);
  return segment;
}

void KvCache::unpin(KvSegment* segment) {
  if (segment == nullptr) return;
  CHECK(segment->n_pins > 0, "a segment is unpinned as often as it was pinned");
  segment->n_pins--;
  references_.drop(segment);
}

/** If several requests name one segment, the highest priority and the longest time win. */
void KvCache::set_retention(const TreeKey& key, std::span<const int32_t> tokens,
                            const Retention& retention) {
  KvSegment* root = tree_.find_root(key);
  if (root == nullptr) return;
  const RadixTree::Match match = RadixTree::match(root, tokens);
  KvSegment* last = match.node;
  const int n_whole = whole_slab_tokens(match.n_child);
  if (match.is_whole_child()) last = match.child;
  else if (n_whole > 0) last = tree_.split(match.child, n_whole);
  for (KvSegment* segment = last; segment->parent != nullptr; segment = segment->parent) {
    references_.update(segment, [&] {
      Worth& worth = segment->worth;
      const bool is_first = !worth.is_kept;
      worth.is_kept = true;
      worth.priority = is_first ? retention.priority : std::max(worth.priority, retention.priority);
      const bool is_for_ever = retention.ttl_ms == 0 || (!is_first && worth.ttl_ms == 0);
      worth.ttl_ms = is_for_ever ? 0 : std::max(worth.ttl_ms, retention.ttl_ms);
      references_.order().touch(segment, false);
    });
  }
}

/** Skips segments that have a reference, and those that a request wants kept. */
void KvCache::demote(const TreeKey& key, std::span<const int32_t> tokens, int keep) {
  KvSegment* root = tree_.find_root(key);
  if (root == nullptr) return;
  const RadixTree::Match match = RadixTree::match(root, tokens);
  KvSegment* last = match.is_whole_child() ? match.child : match.node;
  for (KvSegment* segment = last; segment->parent != nullptr && segment->end() > keep;
       segment = segment->parent) {
    if (segment->ref_count > 0 || segment->worth.is_kept) continue;
    const int n_whole = whole_slab_tokens(std::max(0, keep - segment->begin));
    if (n_whole > 0) tree_.split(segment, n_whole);
    if (segment->begin + kTileTokens <= keep) continue;
    references_.update(segment, [&] { segment->worth.is_demoted = true; });
  }
}

/** Frees the last slab of the leaf that is worth least. */
bool KvCache::evict_one() {
  KvSegment* leaf = references_.order().choose_victim();
  if (leaf == nullptr) return false;
  references_.order().age(leaf->worth);
  free_slabs(leaf, leaf->slabs.size() - 1);
  leaf->tokens.resize(std::min(leaf->tokens.size(), leaf->slabs.size() * kTileTokens));
  if (leaf->tokens.empty()) remove(leaf);
  return true;
}

void KvCache::clear() {
  while (reclaim_(nullptr) || evict_one()) {
  }
}

KvCache::Stored KvCache::stored(const TreeKey& key, std::span<const int32_t> tokens) const {
  KvSegment* root = tree_.find_root(key);
  if (root == nullptr) return {};
  const RadixTree::Match match = RadixTree::match(root, tokens);
  size_t n_slabs = 0;
  if (match.child != nullptr && match.child->ref_count == 0)
    n_slabs += static_cast<size_t>(slabs_for(match.n_child));
  for (const KvSegment* used = match.node; used != nullptr && used->ref_count == 0;
       used = used->parent)
    n_slabs += used->slabs.size();
  return {match.end(), static_cast<int64_t>(n_slabs * pool_.slab_bytes())};
}

int KvCache::n_writers() const {
  int n = 0;
  tree_.for_each([&](const KvSegment& segment) { n += segment.n_writers; });
  return n;
}

void KvCache::check_invariants() const {
  tree_.check_invariants();
  size_t n_slabs = 0;
  int n_held = 0;
  const auto free = pool_.free_slabs();
  std::set<uint32_t> owned(free.begin(), free.end());
  CHECK(owned.size() == free.size(), "a slab is free once");
  const auto is_slab = [](uint32_t slab) { return slab != kNoSlab; };
  tree_.for_each([&](const KvSegment& segment) {
    const auto n_own = std::ranges::count_if(segment.slabs, is_slab);
    n_slabs += static_cast<size_t>(n_own);
    if (segment.ref_count > 0) n_held += static_cast<int>(n_own);
    const auto is_referenced = [](const auto& child) { return child->ref_count > 0; };
    const auto n_children =
        std::count_if(segment.children.begin(), segment.children.end(), is_referenced);
    CHECK(segment.ref_count == segment.n_writers + segment.n_pins + n_children,
          "references are writers, pins and referenced children");
    for (const uint32_t slab : std::views::filter(segment.slabs, is_slab))
      CHECK(owned.insert(slab).second, "a slab has one owner, or is free");
    CHECK(segment.n_writers >= 0 && segment.n_writers <= 1, "a segment has at most one writer");
    CHECK(
        segment.n_pins == 0 || (segment.n_writers == 0 && segment.tokens.size() % kTileTokens == 0),
        "a pinned segment is sealed and holds whole slabs");
  });
  CHECK(n_held + references_.n_copies() - references_.n_idle_copies() == references_.n_held(),
        "held slabs are counted along");
  n_slabs += static_cast<size_t>(references_.n_copies());
  CHECK(n_slabs * pool_.slab_bytes() == pool_.bytes_in_use(), "every allocated slab has one owner");
}

}  // namespace cachalot
