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
    add_parts();
    add_readers(0, static_cast<int>(tree_.readers.size()), tree_.tops, 0);
    order_pieces();
    add_merges();
    return std::move(plan_);
  }

 private:
  /** The partials of one row of one part so far. */
  struct RowPartials {
    std::vector<MergeEntry> entries;  // `span_group` counts from the part's first
    int32_t resumes = -1;             // the partial of a span that is not finished; -1: none
    int32_t phase = 0;                // the first phase after the one that wrote this partial
  };
  /** A row of the step, as it reads one part. */
  struct RowOfPart {
    int32_t partials;            // index in partials_
    int32_t row;                 // of the step
    int32_t first_key, end_key;  // of the part
    int32_t query_position;
  };
  /** Work items that read the same tiles: different rows of one range. */
  struct Siblings {
    int32_t first_item, n_items;
    int32_t phase;
    bool shared;
  };

  void add_parts() {
    int32_t n = 0;
    first_part_.reserve(sequences_.size());
    plan_.parts.reserve(tree_.readers.size());
    first_partials_.reserve(tree_.readers.size());
    for (const auto& sequence : sequences_) {
      first_part_.push_back(static_cast<int32_t>(plan_.parts.size()));
      for (const ContextPart& part : sequence.parts) {
        plan_.parts.push_back(part);
        plan_.parts.back().table.store = options_.store;
        first_partials_.push_back(n);
        n += static_cast<int32_t>(sequence.rows.size());
      }
      n_rows_ += sequence.rows.size();
    }
    partials_.resize(static_cast<size_t>(n));
  }

  int part_of(int reader) const {
    const auto& [sequence, part] = tree_.readers[static_cast<size_t>(reader)];
    return first_part_[static_cast<size_t>(sequence)] + part;
  }
  const PlanSequence& sequence_of(int reader) const {
    return sequences_[static_cast<size_t>(tree_.readers[static_cast<size_t>(reader)].sequence)];
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
    std::vector<RowOfPart> rows;
    for (int i = range.first_reader; i < range.first_reader + range.n_readers; i++)
      append_rows(i, 0, static_cast<int>(sequence_of(i).rows.size()), &rows);
    add_tiles(rows, part_of(range.first_reader), tile, range.end_tile, true);
  }

  /** Adds a reader's own reads, in blocks of rows. A block reads up to the last key that any of its
   * rows reads. */
  void add_own(int reader, int tile) {
    std::vector<RowOfPart> rows;
    const auto n_rows = static_cast<int>(sequence_of(reader).rows.size());
    if (n_rows == 0) return;
    const int rows_per_block = rows_per_item(n_rows, options_.shape);
    for (int first = 0; first < n_rows; first += rows_per_block) {
      rows.clear();
      append_rows(reader, first, std::min(rows_per_block, n_rows - first), &rows);
      if (rows.empty()) continue;
      const int n_keys =
          std::max_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
            return a.end_key < b.end_key;
          })->end_key;
      add_tiles(rows, part_of(reader), tile, (n_keys + kTileTokens - 1) / kTileTokens, false);
    }
  }

  /** Appends n rows of a reader, without those that read nothing of its part. */
  void append_rows(int reader, int first, int n, std::vector<RowOfPart>* rows) const {
    const int index = part_of(reader);
    const ContextPart& part = plan_.parts[static_cast<size_t>(index)];
    const auto& all = sequence_of(reader).rows;
    for (int i = first; i < first + n; i++) {
      const auto& [row, position] = all[static_cast<size_t>(i)];
      const int end = std::min(part.end_key, position + 1 - part.position);
      const int first_in_window =
          options_.window == 0 ? 0 : position + 1 - options_.window - part.position;
      const int first_key = std::max(part.first_key, first_in_window);
      if (first_key >= end) continue;
      rows->push_back({first_partials_[static_cast<size_t>(index)] + i, row, first_key, end,
                       position - part.shift});
    }
  }

  /** Adds tiles [tile, end) of a part for some rows. A shared range may end inside a span; the
   * items that follow the range finish that span. */
  void add_tiles(const std::vector<RowOfPart>& rows, int part, int tile, int end, bool shared) {
    if (rows.empty()) return;
    int least_key = rows[0].first_key;
    for (const auto& row : rows) least_key = std::min(least_key, row.first_key);
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

  void add_items(const std::vector<RowOfPart>& rows, int part, int first_tile, int end_tile,
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
    for (const auto& row : rows)
      partials_[static_cast<size_t>(row.partials)].phase = siblings.phase + 1;
  }

  /** Adds an item for those of the rows that read any of its keys. Returns its phase. */
  int add_item(std::span<const RowOfPart> rows, int part, int first_tile, int end_tile,
               bool unfinished) {
    WorkItem item{part,     static_cast<int32_t>(plan_.item_rows.size()),
                  0,        first_tile,
                  end_tile, plan_.n_partials};
    int phase = 0;
    for (const RowOfPart& row : rows) {
      if (row.end_key <= first_tile * kTileTokens || row.first_key >= end_tile * kTileTokens)
        continue;
      RowPartials& partials = partials_[static_cast<size_t>(row.partials)];
      const bool resumes = first_tile % kSpanTiles != 0 && partials.resumes >= 0;
      if (resumes) phase = std::max(phase, partials.phase);
      plan_.item_rows.push_back({row.row, row.first_key, row.end_key, row.query_position,
                                 resumes ? partials.resumes : -1});
      plan_.n_positions = std::max(plan_.n_positions, row.query_position + 1);
      partials.resumes = -1;
      // Rows that read nothing more of the part have finished its last span.
      if (unfinished && row.end_key > end_tile * kTileTokens) partials.resumes = plan_.n_partials;
      else partials.entries.push_back({plan_.n_partials, first_tile / kSpanGroupTiles});
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

  /** The partials of each row, by part and span group: the groups of all parts are one list. */
  void add_merges() {
    std::vector<std::pair<int32_t, int32_t>> places(n_rows_);  // (sequence, its row) of each row
    for (size_t i = 0; i < sequences_.size(); i++) {
      for (size_t j = 0; j < sequences_[i].rows.size(); j++)
        places[static_cast<size_t>(sequences_[i].rows[j].row)] = {static_cast<int32_t>(i),
                                                                  static_cast<int32_t>(j)};
    }
    plan_.merge_begin.reserve(n_rows_ + 1);
    plan_.merge_begin.push_back(0);
    for (const auto& [sequence, row] : places) {
      int group = -1;
      const auto first = static_cast<size_t>(first_part_[static_cast<size_t>(sequence)]);
      const size_t n_parts = sequences_[static_cast<size_t>(sequence)].parts.size();
      for (size_t part = first; part < first + n_parts; part++) {
        int32_t before = -1;
        for (const auto& [partial, of_part] :
             partials_[static_cast<size_t>(first_partials_[part] + row)].entries) {
          if (of_part != before) group++;
          before = of_part;
          plan_.merge_entries.push_back({partial, group});
        }
      }
      plan_.merge_begin.push_back(static_cast<int32_t>(plan_.merge_entries.size()));
    }
  }

  std::span<const PlanSequence> sequences_;
  PlanOptions options_;
  const ReaderTree& tree_;
  int tiles_per_item_;
  size_t n_rows_ = 0;  // R
  AttentionPlan plan_;
  std::vector<int32_t> first_part_;      // of each sequence, in the plan's parts
  std::vector<int32_t> first_partials_;  // of each part, in partials_: one for each of its rows
  std::vector<RowPartials> partials_;
  std::vector<Siblings> siblings_;
};

}  // namespace

AttentionPlan plan_attention(std::span<const PlanSequence> sequences,
                             std::span<const uint32_t> slabs, const PlanOptions& options,
                             ReaderTree* tree) {
  ReaderTree own;
  if (tree == nullptr) tree = &own;
  *tree = find_shared_ranges(sequences, slabs);
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
