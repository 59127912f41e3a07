#include "attention/plan.h"

#include <algorithm>

#include "attention/merges.h"

namespace cachalot {

namespace {

constexpr int kManyItems = 4;  // per thread
constexpr int kFewPieces = 2;  // per thread: with fewer, items are cut at every span

class Planner {
 public:
  Planner(std::span<const PlanSequence> sequences, const AddressList& list,
          const PlanOptions& options, const ReaderTree& tree, int tiles_per_item)
      : sequences_(sequences),
        list_(list),
        options_(options),
        tree_(tree),
        tiles_per_item_(tiles_per_item) {}

  AttentionPlan build() {
    plan_.heads_per_kv_head = options_.shape.heads_per_kv_head;
    add_parts();
    add_readers(0, static_cast<int>(tree_.readers.size()), tree_.tops, 0);
    order_pieces();
    add_merges(sequences_, {partials_, first_part_, first_row_, unfinished_.size()}, &plan_);
    return std::move(plan_);
  }

 private:
  /** A span that a row of a part has not finished. */
  struct Unfinished {
    int32_t partial = -1;  // that the span goes on from; -1: none
    int32_t phase = 0;     // the first phase after the one that wrote it
  };
  /** A row of the step, as it reads one part. */
  struct RowOfPart {
    int32_t index;  // in unfinished_
    ItemRow reads;
    int32_t first_slot, end_slot;  // of the part's tiles, where its keys are
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
    first_row_.reserve(tree_.readers.size());
    for (const auto& sequence : sequences_) {
      first_part_.push_back(static_cast<int32_t>(plan_.parts.size()));
      for (const ContextPart& part : sequence.parts) {
        add_part(part);
        first_row_.push_back(n);
        n += static_cast<int32_t>(sequence.rows.size());
      }
    }
    unfinished_.resize(static_cast<size_t>(n));
    partials_.reserve(static_cast<size_t>(n));
  }

  /** A part as this class of layers reads it. */
  void add_part(const ContextPart& part) {
    plan_.parts.push_back(part);
    KvTable& table = plan_.parts.back().table;
    const bool edited = is_edited(table);
    table.store = edited ? options_.edited_store : options_.store;
    if (edited) table.first += list_.edited_offset;
  }

  int part_of(int reader) const {
    const auto& [sequence, part, n_tiles] = tree_.readers[static_cast<size_t>(reader)];
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
    rows_.clear();
    for (int i = range.first_reader; i < range.first_reader + range.n_readers; i++)
      append_rows(i, 0, static_cast<int>(sequence_of(i).rows.size()));
    add_tiles(part_of(range.first_reader), tile, range.end_tile, true);
  }

  /** Adds a reader's own reads, in blocks of rows. A block reads up to the last slot that any of
   * its rows reads. */
  void add_own(int reader, int tile) {
    const auto n_rows = static_cast<int>(sequence_of(reader).rows.size());
    if (n_rows == 0) return;
    const int rows_per_block = rows_per_item(n_rows, options_.shape);
    for (int first = 0; first < n_rows; first += rows_per_block) {
      rows_.clear();
      append_rows(reader, first, std::min(rows_per_block, n_rows - first));
      if (rows_.empty()) continue;
      const int n_slots = std::ranges::max_element(rows_, {}, &RowOfPart::end_slot)->end_slot;
      add_tiles(part_of(reader), tile, (n_slots + kTileTokens - 1) / kTileTokens, false);
    }
  }

  /** Appends n rows of a reader to rows_, without those that read nothing of its part. */
  void append_rows(int reader, int first, int n) {
    const int index = part_of(reader);
    const ContextPart& part = plan_.parts[static_cast<size_t>(index)];
    const auto& sequence = sequence_of(reader);
    const int number = tree_.readers[static_cast<size_t>(reader)].part;
    const ContextPart& given = sequence.parts[static_cast<size_t>(number)];
    const bool is_sink = number < sequence.n_sink_parts;
    // Which slots of an edited part hold the tokens that a row reads, each head knows for itself.
    const bool edited = is_edited(given.table);
    const int n_slots = edited ? list_.n_tiles(given) * kTileTokens : 0;
    for (int i = first; i < first + n; i++) {
      const auto& [row, position] = sequence.rows[static_cast<size_t>(i)];
      const int end = std::min(part.end_key, position + 1 - part.position);
      const int read_from = std::min(position, part.last_position);
      const int first_in_window =
          options_.window == 0 ? 0 : read_from + 1 - options_.window - part.position;
      const int window_begin = sequence.window_begin(position);
      if (is_sink && window_begin == 0) continue;
      const int first_kept = window_begin == 0 || is_sink ? 0 : window_begin - part.position;
      const int first_key = std::max({part.first_key, first_in_window, first_kept});
      if (first_key >= end) continue;
      const int query_position = read_from - part.shift;
      rows_.push_back({first_row_[static_cast<size_t>(index)] + i,
                       {row, first_key, end, query_position, -1},
                       edited ? 0 : first_key,
                       edited ? n_slots : end});
    }
  }

  /** Adds tiles [tile, end) of a part for rows_. A shared range may end inside a span; the items
   * that follow the range finish that span. */
  void add_tiles(int part, int tile, int end, bool shared) {
    if (rows_.empty()) return;
    const int least = std::ranges::min_element(rows_, {}, &RowOfPart::first_slot)->first_slot;
    tile = std::max(tile, least / kTileTokens);  // the memory of those before it may be free
    while (tile < end) {
      const int span_end = (tile / kSpanTiles + 1) * kSpanTiles;
      const bool begins_span_group = tile % kSpanGroupTiles < kSpanTiles;
      const int limit = begins_span_group
                            ? std::max(span_end, (tile / tiles_per_item_ + 1) * tiles_per_item_)
                            : span_end;
      int stop = std::min(end, limit);
      if (shared && stop > span_end) stop = stop / kSpanTiles * kSpanTiles;
      add_items(part, tile, stop, shared && stop % kSpanTiles != 0, shared);
      tile = stop;
    }
  }

  void add_items(int part, int first_tile, int end_tile, bool unfinished, bool shared) {
    const std::span<const RowOfPart> rows = rows_;
    Siblings siblings{static_cast<int32_t>(plan_.items.size()), 0, 0, shared};
    const auto most =
        static_cast<size_t>(shared ? rows_per_item(static_cast<int>(rows.size()), options_.shape)
                                   : static_cast<int>(rows.size()));
    for (size_t first = 0; first < rows.size(); first += most) {
      const size_t n = std::min(rows.size() - first, most);
      const int phase = add_item(rows.subspan(first, n), part, first_tile, end_tile, unfinished);
      siblings.phase = std::max(siblings.phase, phase);
    }
    siblings.n_items = static_cast<int32_t>(plan_.items.size()) - siblings.first_item;
    if (siblings.n_items > 0) siblings_.push_back(siblings);
    if (!unfinished) return;
    for (const auto& row : rows)
      unfinished_[static_cast<size_t>(row.index)].phase = siblings.phase + 1;
  }

  /** Adds an item for those of the rows that read any of its keys. Returns its phase. */
  int add_item(std::span<const RowOfPart> rows, int part, int first_tile, int end_tile,
               bool unfinished) {
    WorkItem item{part,     static_cast<int32_t>(plan_.item_rows.size()),
                  0,        first_tile,
                  end_tile, plan_.n_partials};
    int phase = 0;
    for (const RowOfPart& row : rows) {
      if (row.end_slot <= first_tile * kTileTokens || row.first_slot >= end_tile * kTileTokens)
        continue;
      Unfinished& span = unfinished_[static_cast<size_t>(row.index)];
      const bool resumes = first_tile % kSpanTiles != 0 && span.partial >= 0;
      if (resumes) phase = std::max(phase, span.phase);
      plan_.item_rows.push_back(row.reads);
      if (resumes) plan_.item_rows.back().resumes = span.partial;
      plan_.n_positions = std::max(plan_.n_positions, row.reads.query_position + 1);
      span.partial = -1;
      // Rows that read nothing more of the part have finished its last span.
      if (unfinished && row.end_slot > end_tile * kTileTokens) span.partial = plan_.n_partials;
      else partials_.push_back({row.index, plan_.n_partials, first_tile / kSpanGroupTiles});
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
  AddressList list_;
  PlanOptions options_;
  const ReaderTree& tree_;
  int tiles_per_item_;
  AttentionPlan plan_;
  std::vector<int32_t> first_part_;     // of each sequence, in the plan's parts
  std::vector<int32_t> first_row_;      // of each part, in unfinished_
  std::vector<Unfinished> unfinished_;  // of each row of each part
  std::vector<PartialOfRow> partials_;
  std::vector<RowOfPart> rows_;  // of the range or reader that is added now
  std::vector<Siblings> siblings_;
};

}  // namespace

AttentionPlan plan_attention(std::span<const PlanSequence> sequences, const AddressList& list,
                             const PlanOptions& options, ReaderTree* tree) {
  ReaderTree own;
  if (tree == nullptr) tree = &own;
  *tree = find_shared_ranges(sequences, list);
  if (options.grouping == Grouping::kNever) {
    for (auto& range : tree->ranges) range.grouped = false;
  } else if (options.grouping == Grouping::kAuto && options.costs != nullptr) {
    choose_groups(sequences, *options.costs, options.shape, tree);
  }
  AttentionPlan plan = Planner(sequences, list, options, *tree, kSpanGroupTiles).build();
  if (static_cast<int>(plan.pieces.size()) < kFewPieces * options.shape.parallelism)
    plan = Planner(sequences, list, options, *tree, kSpanTiles).build();
  return plan;
}

}  // namespace cachalot
