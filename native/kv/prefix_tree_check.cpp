// The rules of the prefix tree, as test builds check them after every step.

#include <set>

#include "base/check.h"
#include "kv/prefix_tree.h"

namespace cachalot {

void PrefixTree::check_invariants() const {
  size_t n_runs = 0;
  const auto free = pool_.free_runs();
  std::set<uint32_t> owned(free.begin(), free.end());
  CHECK(owned.size() == free.size(), "a run is free once");
  for (const auto& [key, root] : roots_) {
    for_each_segment(*root, [&](const KvSegment& segment) {
      n_runs += segment.runs.size();
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
  CHECK(static_cast<int>(n_runs) == pool_.n_runs() - pool_.n_free(),
        "every taken run has one owner");
}

}  // namespace cachalot
