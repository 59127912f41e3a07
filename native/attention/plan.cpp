#include "attention/plan.h"

#include <algorithm>

namespace cachalot {

namespace {

// Queries (rows x heads of a KV group) that go through a tile together: enough to hide the reading
// of K and V, and their states (two of D floats each) still fit the first-level cache.
constexpr int kMaxQueries = 64;
constexpr int kGroupTiles = kGroupTokens / kTileTokens;

class Planner {
 public:
  Planner(std::span<const PlanSequence> sequences, const PlanOptions& options)
      : sequences_(sequences),
        options_(options),
        rows_per_item_(std::max(1, kMaxQueries / options.heads_per_kv_head)) {}

  AttentionPlan build() {
    int n_rows = 0;
    for (const auto& sequence : sequences_) n_rows += sequence.n_rows;
    row_entries_.resize(static_cast<size_t>(n_rows));
    const int tiles_per_item = choose_tiles_per_item();
    for (const auto& sequence : sequences_) add_sequence(sequence, tiles_per_item);
    plan_.merge_begin.push_back(0);
    for (const auto& entries : row_entries_) {
      plan_.merge_entries.insert(plan_.merge_entries.end(), entries.begin(), entries.end());
      plan_.merge_begin.push_back(static_cast<int32_t>(plan_.merge_entries.size()));
    }
    return std::move(plan_);
  }

 private:
  /** The first key that the row at `position` reads. */
  int first_key(int position) const {
    return options_.window == 0 ? 0 : std::max(0, position + 1 - options_.window);
  }

  /** A group per item, or a span per item when groups alone would leave threads idle. */
  int choose_tiles_per_item() const {
    int pieces = 0;
    for (const auto& sequence : sequences_) {
      const int n_tokens = sequence.first_position + sequence.n_rows;
      const int n_groups = (n_tokens + kGroupTokens - 1) / kGroupTokens -
                           first_key(sequence.first_position) / kGroupTokens;
      const int blocks = (sequence.n_rows + rows_per_item_ - 1) / rows_per_item_;
      pieces += blocks * n_groups * options_.n_kv_heads;
    }
    return pieces < 2 * options_.parallelism ? kSpanTiles : kGroupTiles;
  }

  void add_sequence(const PlanSequence& sequence, int tiles_per_item) {
    const auto run = static_cast<int32_t>(plan_.runs.size());
    plan_.runs.push_back({sequence.runs.data(), sequence.first_position + sequence.n_rows, 0});
    for (int first = 0; first < sequence.n_rows; first += rows_per_item_) {
      const int n = std::min(rows_per_item_, sequence.n_rows - first);
      const int n_keys = sequence.first_position + first + n;  // of the last row, which reads most
      const int n_tiles = (n_keys + kTileTokens - 1) / kTileTokens;
      // The first span that any of these rows reads; items end where they would without a window.
      int tile = first_key(sequence.first_position + first) / kSpanTokens * kSpanTiles;
      while (tile < n_tiles) {
        const int end = std::min(n_tiles, (tile / tiles_per_item + 1) * tiles_per_item);
        add_item(sequence, run, first, n, tile, end);
        tile = end;
      }
    }
  }

  /** Rows [first, first + n) of the sequence that read any of the item's keys. */
  void add_item(const PlanSequence& sequence, int32_t run, int first, int n, int first_tile,
                int end_tile) {
    WorkItem item{run,      static_cast<int32_t>(plan_.item_rows.size()),
                  0,        first_tile,
                  end_tile, plan_.n_partials};
    for (int i = first; i < first + n; i++) {
      const int32_t position = sequence.first_position + i;
      const int32_t begin = first_key(position), end = position + 1;
      if (end <= first_tile * kTileTokens || begin >= end_tile * kTileTokens) continue;
      const int32_t row = sequence.first_row + i;
      plan_.item_rows.push_back({row, begin, end, position});
      row_entries_[static_cast<size_t>(row)].push_back(
          {plan_.n_partials++, first_tile / kGroupTiles});
      item.n_rows++;
    }
    if (item.n_rows > 0) plan_.items.push_back(item);
  }

  std::span<const PlanSequence> sequences_;
  PlanOptions options_;
  int rows_per_item_;
  AttentionPlan plan_;
  std::vector<std::vector<MergeEntry>> row_entries_;  // [R]
};

}  // namespace

AttentionPlan plan_attention(std::span<const PlanSequence> sequences, const PlanOptions& options) {
  return Planner(sequences, options).build();
}

}  // namespace cachalot
