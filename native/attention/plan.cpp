#include "attention/plan.h"

#include <algorithm>

namespace cachalot {

namespace {

constexpr int kManyItems = 4;  // per thread
constexpr int kFewPieces = 2;  // per thread: with fewer, items are cut at every span

class Planner {
 public:
  Planner(std::span<const PlanSequence> sequences, const PlanOptions& options,
          const ReaderTree& tree, int tiles_per_item)
      : sequences_(sequences), options_(options), tree_(tree), tiles_per_item_(tiles_per_item) {}

  AttentionPlan build() {
    plan_.heads_per_kv_head = options_.shape.heads_per_kv_head;
    int n_rows = 0;
    for (const auto& sequence : sequences_) {
      n_rows += sequence.n_rows;
      plan_.parts.push_back({sequence.slabs.data(), sequence.first_position + sequence.n_rows, 0});
    }
    rows_.resize(static_cast<size_t>(n_rows));
    add_readers(0, static_cast<int>(tree_.order.size()), tree_.tops, 0);
    order_pieces();
    plan_.merge_begin.reserve(rows_.size() + 1);
    plan_.merge_begin.push_back(0);
    for (const auto& row : rows_) {
      plan_.merge_entries.insert(plan_.merge_entries.end(), row.entries.begin(), row.entries.end());
      plan_.merge_begin.push_back(static_cast<int32_t>(plan_.merge_entries.size()));
    }
    return std::move(plan_);
  }

 private:
  struct Row {
    std::vector<MergeEntry> entries;
    int32_t resumes = -1;  // the partial of a span that is not finished; -1: none
    int32_t phase = 0;     // the first phase after the one that wrote this partial
  };
  struct RowOfContext {
    int32_t row, position;
  };
  /** Work items that read the same tiles: different rows of one range. */
  struct Siblings {
    int32_t first_item, n_items;
    int32_t phase;
    bool shared;
  };

  const PlanSequence& sequence_at(int reader) const {
    return sequences_[static_cast<size_t>(tree_.order[static_cast<size_t>(reader)])];
  }

  /** The first key that the row at `position` reads. */
  int first_key(int position) const {
    return options_.window == 0 ? 0 : std::max(0, position + 1 - options_.window);
  }

  /** Adds all that readers [first, end) read from `tile` on. `ranges`: shared by some of them. */
  void add_readers(int first, int end, std::span<const int32_t> ranges, int tile) {
    for (const int32_t index : ranges) {
      const SharedRange& range = tree_.ranges[static_cast<size_t>(index)];
      for (; first < range.first_reader; first++) add_own(first, tile);
      if (range.grouped) add_shared(range, tile);
      first = range.first_reader + range.n_readers;
      add_readers(range.first_reader, first, range.children, range.grouped ? range.end_tile : tile);
    }
    for (; first < end; first++) add_own(first, tile);
  }

  void add_shared(const SharedRange& range, int tile) {
    std::vector<RowOfContext> rows;
    for (int i = range.first_reader; i < range.first_reader + range.n_readers; i++)
      append_rows(sequence_at(i), 0, sequence_at(i).n_rows, &rows);
    const int part = tree_.order[static_cast<size_t>(range.first_reader)];
    add_tiles(rows, part, tile, range.end_tile, true);
  }

  /** Adds a sequence's own reads, in blocks of rows. A block reads up to its last row's own key. */
  void add_own(int reader, int tile) {
    const PlanSequence& sequence = sequence_at(reader);
    std::vector<RowOfContext> rows;
    const int rows_per_block = rows_per_item(sequence.n_rows, options_.shape);
    for (int first = 0; first < sequence.n_rows; first += rows_per_block) {
      const int n = std::min(rows_per_block, sequence.n_rows - first);
      rows.clear();
      append_rows(sequence, first, n, &rows);
      const int n_keys = sequence.first_position + first + n;
      add_tiles(rows, tree_.order[static_cast<size_t>(reader)], tile,
                (n_keys + kTileTokens - 1) / kTileTokens, false);
    }
  }

  static void append_rows(const PlanSequence& sequence, int first, int n,
                          std::vector<RowOfContext>* rows) {
    for (int i = first; i < first + n; i++)
      rows->push_back({sequence.first_row + i, sequence.first_position + i});
  }

  /** Adds tiles [tile, end) of a part for some rows. A shared range may end inside a span; the
   * items that follow the range finish that span. */
  void add_tiles(const std::vector<RowOfContext>& rows, int part, int tile, int end, bool shared) {
    int least_key = first_key(rows[0].position);
    for (const auto& row : rows) least_key = std::min(least_key, first_key(row.position));
    tile = std::max(tile, least_key / kSpanTokens * kSpanTiles);
    while (tile < end) {
      const int span_end = (tile / kSpanTiles + 1) * kSpanTiles;
      const bool begins_span_group = tile % kSpanGroupTiles < kSpanTiles;
      const int limit = begins_span_group
                            ? std::max(span_end, (tile / tiles_per_item_ + 1) * tiles_per_item_)
                            : span_end;
      int stop = std::min(end, limit);
      if (shared && stop > span_end) stop = stop / kSpanTiles * kSpanTiles;
      add_items(rows, part, tile, stop, shared && stop % kSpanTiles != 0, shared);
      tile = stop;
    }
  }

  void add_items(const std::vector<RowOfContext>& rows, int part, int first_tile, int end_tile,
                 bool unfinished, bool shared) {
    Siblings siblings{static_cast<int32_t>(plan_.items.size()), 0, 0, shared};
    const auto most =
        static_cast<size_t>(shared ? rows_per_item(static_cast<int>(rows.size()), options_.shape)
                                   : static_cast<int>(rows.size()));
    for (size_t first = 0; first < rows.size(); first += most) {
      const size_t n = std::min(rows.size() - first, most);
      const int phase =
          add_item(std::span(rows).subspan(first, n), part, first_tile, end_tile, unfinished);
      siblings.phase = std::max(siblings.phase, phase);
    }
    siblings.n_items = static_cast<int32_t>(plan_.items.size()) - siblings.first_item;
    if (siblings.n_items > 0) siblings_.push_back(siblings);
    if (!unfinished) return;
    for (const auto& row : rows) rows_[static_cast<size_t>(row.row)].phase = siblings.phase + 1;
  }

  /** Adds an item for those of the rows that read any of its keys. Returns its phase. */
  int add_item(std::span<const RowOfContext> rows, int part, int first_tile, int end_tile,
               bool unfinished) {
    WorkItem item{part,     static_cast<int32_t>(plan_.item_rows.size()),
                  0,        first_tile,
                  end_tile, plan_.n_partials};
    int phase = 0;
    for (const auto& [index, position] : rows) {
      const int32_t begin = first_key(position), end = position + 1;
      if (end <= first_tile * kTileTokens || begin >= end_tile * kTileTokens) continue;
      Row& row = rows_[static_cast<size_t>(index)];
      const bool resumes = first_tile % kSpanTiles != 0 && row.resumes >= 0;
      if (resumes) phase = std::max(phase, row.phase);
      plan_.item_rows.push_back({index, begin, end, position, resumes ? row.resumes : -1});
      row.resumes = -1;
      if (unfinished) row.resumes = plan_.n_partials;
      else row.entries.push_back({plan_.n_partials, first_tile / kSpanGroupTiles});
      plan_.n_partials++;
      item.n_rows++;
    }
    if (item.n_rows > 0) plan_.items.push_back(item);
    return phase;
  }

  /** Shared items come first, because they are the larger ones. Items of one range follow each
   * other for one head, so that its blocks stay in the processor's cache. */
  void order_pieces() {
    std::stable_sort(siblings_.begin(), siblings_.end(), [](const Siblings& a, const Siblings& b) {
      return std::pair(a.phase, !a.shared) < std::pair(b.phase, !b.shared);
    });
    const int n_heads = options_.shape.n_kv_heads;
    // Many small items are not cut by head: their blocks of all heads lie one after the other.
    const bool many =
        static_cast<int>(plan_.items.size()) >= kManyItems * options_.shape.parallelism;
    for (size_t i = 0; i < siblings_.size(); i++) {
      const Siblings& siblings = siblings_[i];
      const int heads_per_piece = many && !siblings.shared ? n_heads : 1;
      for (int head = 0; head < n_heads; head += heads_per_piece)
        for (int item = 0; item < siblings.n_items; item++)
          plan_.pieces.push_back({siblings.first_item + item, head, heads_per_piece});
      if (i + 1 == siblings_.size() || siblings_[i + 1].phase != siblings.phase)
        plan_.phase_ends.push_back(static_cast<int32_t>(plan_.pieces.size()));
    }
  }

  std::span<const PlanSequence> sequences_;
  PlanOptions options_;
  const ReaderTree& tree_;
  int tiles_per_item_;
  AttentionPlan plan_;
  std::vector<Row> rows_;  // [R]
  std::vector<Siblings> siblings_;
};

}  // namespace

AttentionPlan plan_attention(std::span<const PlanSequence> sequences, const PlanOptions& options,
                             ReaderTree* tree) {
  ReaderTree own;
  if (tree == nullptr) tree = &own;
  *tree = find_shared_ranges(sequences);
  if (options.grouping == Grouping::kNever) {
    for (auto& range : tree->ranges) range.grouped = false;
  } else if (options.grouping == Grouping::kAuto && options.costs != nullptr) {
    choose_groups(sequences, *options.costs, options.shape, tree);
  }
  AttentionPlan plan = Planner(sequences, options, *tree, kSpanGroupTiles).build();
  if (static_cast<int>(plan.pieces.size()) < kFewPieces * options.shape.parallelism)
    plan = Planner(sequences, options, *tree, kSpanTiles).build();
  return plan;
}

}  // namespace cachalot
