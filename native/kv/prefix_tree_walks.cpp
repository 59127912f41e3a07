// What is asked of the whole prefix tree: counts, and its rules, which test builds check after
// every step.

#include <algorithm>
#include <set>

#include "base/check.h"
#include "kv/prefix_tree.h"

namespace cachalot {

int PrefixTree::n_available_beside(const std::string& key, std::span<const int32_t> tokens) const {
  const auto found = roots_.find(key);
  if (found == roots_.end()) return n_available();
  const Match match = find(found->second.get(), tokens);
  const KvSegment* used = match.node;
  int available = n_available();
  if (match.child != nullptr && match.child->n_users == 0)
    available -= static_cast<int>(runs_of(static_cast<size_t>(match.n_child)));
  for (; used != nullptr && used->n_users == 0; used = used->parent)
    available -= static_cast<int>(used->runs.size());
  return available;
}

int PrefixTree::n_writers() const {
  int n = 0;
  for (const auto& [key, root] : roots_)
    for_each_segment(*root, [&](const KvSegment& segment) { n += segment.n_writers; });
  return n;
}

void PrefixTree::check_invariants() const {
  size_t n_runs = 0;
  int n_held = 0, n_segments = -static_cast<int>(roots_.size());
  const auto free = pool_.free_runs();
  std::set<uint32_t> owned(free.begin(), free.end());
  CHECK(owned.size() == free.size(), "a run is free once");
  for (const auto& [key, root] : roots_) {
    for_each_segment(*root, [&](const KvSegment& segment) {
      n_runs += segment.runs.size();
      n_segments++;
      if (segment.n_users > 0) n_held += static_cast<int>(segment.runs.size());
      const auto in_use = [](const auto& child) { return child->n_users > 0; };
      const auto used_children =
          std::count_if(segment.children.begin(), segment.children.end(), in_use);
      CHECK(segment.n_users == segment.n_writers + segment.n_pins + used_children,
            "users are writers, pins and children in use");
      for (const uint32_t run : segment.runs)
        CHECK(owned.insert(run).second, "a run has one owner, or is free");
      CHECK(segment.begin % kTileTokens == 0, "a segment begins at a block");
      CHECK(segment.n_writers >= 0 && segment.n_writers <= 1, "a segment has at most one writer");
      CHECK(segment.n_pins == 0 ||
                (segment.n_writers == 0 && segment.tokens.size() % kTileTokens == 0),
            "a pinned segment is sealed and holds whole blocks");
      CHECK(segment.runs.size() >= runs_of(segment.tokens.size()), "every token has a block");
      CHECK(segment.children.empty() || segment.n_writers == 0, "an open segment is a leaf");
      CHECK(segment.children.empty() || segment.tokens.size() % kTileTokens == 0,
            "only a leaf ends inside a block");
      for (const auto& child : segment.children) {
        CHECK(child->parent == &segment && child->begin == segment.end(),
              "children continue their parent");
      }
    });
  }
  CHECK(n_held == n_held_ && n_segments == n_segments_, "what is counted along is so");
  CHECK(static_cast<int>(n_runs) == pool_.n_runs() - pool_.n_free(),
        "every taken run has one owner");
}

}  // namespace cachalot
