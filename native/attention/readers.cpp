#include "attention/readers.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <tuple>

#include "backend/arithmetic.h"

namespace cachalot {

namespace {

/** How many leading slabs two parts have in common, if the first `known` are. */
int common_slabs(std::span<const uint32_t> a, std::span<const uint32_t> b, int known) {
  int low = known, high = static_cast<int>(std::min(a.size(), b.size()));
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    const auto last = static_cast<size_t>(middle - 1);
    if (a[last] == b[last]) low = middle;
    else high = middle - 1;
  }
  return low;
}

constexpr int kMaxQueries = 128;  // rows x heads of a query group that go through a tile one by one
constexpr int kQueryBlock = 32;   // queries that go side by side
constexpr int kEnoughPieces = 4;  // per thread, for shares that are nearly even
// Reading together must take less than this share of the estimated time apart. With 0.9, four
// sequences that were grouped at an estimated 0.8 were 5 % slower in `npm run bench:shared`:
// separate reads overlap better than the estimate says.
constexpr double kWorthwhile = 0.75;
constexpr auto kPlainSharpness = std::bit_cast<uint32_t>(1.0f);

class Finder {
 public:
  Finder(std::span<const PlanSequence> sequences, const AddressList& list)
      : sequences_(sequences), list_(list) {
    tree_.readers.reserve(sequences.size());
    for (size_t i = 0; i < sequences.size(); i++) {
      const auto& parts = sequences[i].parts;
      for (size_t part = 0; part < parts.size(); part++) {
        const bool is_open = parts[part].table.first == parts.back().table.first;
        const int n_tiles =
            std::min(list.n_tiles(parts[part]), is_open ? sequences[i].n_known_tiles : INT32_MAX);
        tree_.readers.push_back({static_cast<int32_t>(i), static_cast<int32_t>(part), n_tiles});
      }
    }
  }

  ReaderTree find() {
    divide(0, static_cast<int>(tree_.readers.size()), 0, -1);
    return std::move(tree_);
  }

 private:
  const PlanSequence& sequence_of(const Reader& reader) const {
    return sequences_[static_cast<size_t>(reader.sequence)];
  }
  const ContextPart& part_of(const Reader& reader) const {
    return sequence_of(reader).parts[static_cast<size_t>(reader.part)];
  }

  static constexpr uint64_t kEnded = UINT64_MAX;

  /** Equal for parts that hold the same at a tile; kEnded past the last. Edited parts are the same
   * as wholes. */
  uint64_t id_at(const Reader& reader, int tile) const {
    if (tile >= reader.n_tiles) return kEnded;
    const ContextPart& part = part_of(reader);
    uint64_t id = uint64_t{std::bit_cast<uint32_t>(part.sharpness) ^ kPlainSharpness} << 33;
    if (is_edited(part.table)) return id | uint64_t{1} << 32 | part.table.first;
    return id | list_.entries[part.table.first + static_cast<uint32_t>(tile)];
  }

  /** How many leading tiles two parts have in common, if the first `known` are. */
  int common_tiles(const Reader& a, const Reader& b, int known) const {
    if (is_edited(part_of(a).table)) return a.n_tiles;
    const auto slabs = [this](const Reader& reader) {
      return list_.entries.subspan(part_of(reader).table.first,
                                   static_cast<size_t>(reader.n_tiles));
    };
    return common_slabs(slabs(a), slabs(b), known);
  }

  /** Makes a range of each set of readers in [first, end) with the same slab at `tile`. */
  void divide(int first, int end, int tile, int parent) {
    auto& order = order_;
    order.clear();
    for (int i = first; i < end; i++) {
      const Reader& reader = tree_.readers[static_cast<size_t>(i)];
      order.push_back({id_at(reader, tile), reader});
    }
    std::ranges::sort(order, [](const Ordered& a, const Ordered& b) {
      if (a.id != b.id) return a.id < b.id;
      if (a.reader.sequence != b.reader.sequence) return a.reader.sequence < b.reader.sequence;
      return a.reader.part < b.reader.part;
    });
    struct Same {
      int first, end;
    };
    std::vector<Same> shared;  // by two readers or more
    uint64_t before = kEnded;
    int begin = first;
    for (int i = first; i < end; i++) {
      const auto& [id, reader] = order[static_cast<size_t>(i - first)];
      tree_.readers[static_cast<size_t>(i)] = reader;
      if (id == kEnded || id != before) begin = i;
      else if (i == begin + 1) shared.push_back({begin, i + 1});
      else shared.back().end++;
      before = id;
    }
    for (const auto& [same, next] : shared) add_range(same, next, tile, parent);
  }

  void add_range(int first, int end, int tile, int parent) {
    const auto& readers = tree_.readers;
    const Reader one = readers[static_cast<size_t>(first)];
    int common = one.n_tiles;
    int n_rows = 0;
    for (int i = first; i < end; i++) {
      const Reader& reader = readers[static_cast<size_t>(i)];
      common = std::min(common, common_tiles(one, reader, tile + 1));
      n_rows += static_cast<int>(sequence_of(reader).rows.size());
    }
    const auto index = static_cast<int32_t>(tree_.ranges.size());
    const int depth = parent < 0 ? 0 : tree_.ranges[static_cast<size_t>(parent)].depth + 1;
    tree_.ranges.push_back({tile, common, first, end - first, n_rows, depth, {}});
    if (parent < 0) tree_.tops.push_back(index);
    else tree_.ranges[static_cast<size_t>(parent)].children.push_back(index);
    divide(first, end, common, index);
  }

  std::span<const PlanSequence> sequences_;
  AddressList list_;
  struct Ordered {
    uint64_t id;
    Reader reader;
  };
  std::vector<Ordered> order_;
  ReaderTree tree_;
};

/** How many partials each row gets when a range is read apart from its continuation: one for each
 * span group that holds any of its whole spans, and one if it ends inside a span. */
int partials_of(const SharedRange& range) {
  const int whole_end = range.end_tile / kSpanTiles * kSpanTiles;
  const int whole = whole_end <= range.first_tile ? 0
                                                  : (whole_end - 1) / kSpanGroupTiles -
                                                        range.first_tile / kSpanGroupTiles + 1;
  return whole + (range.end_tile % kSpanTiles != 0 ? 1 : 0);
}

}  // namespace

int AddressList::n_tiles(const ContextPart& part) const {
  const int n_keys = is_edited(part.table)
                         ? static_cast<int>(entries[part.table.first + edited_offset])
                         : part.end_key;
  return (n_keys + kTileTokens - 1) / kTileTokens;
}

ReaderTree find_shared_ranges(std::span<const PlanSequence> sequences, const AddressList& list) {
  return Finder(sequences, list).find();
}

int rows_per_item(int n_rows, const PlanShape& shape) {
  const int heads = shape.n_kv_heads, query_group = shape.heads_per_kv_head;
  int n_items = (n_rows * query_group + kMaxQueries - 1) / kMaxQueries;
  while (n_items < n_rows && n_items * heads % shape.parallelism != 0 &&
         n_items * heads < kEnoughPieces * shape.parallelism)
    n_items++;
  const int rows = (n_rows + n_items - 1) / n_items;
  const int block_rows = kQueryBlock / std::gcd(kQueryBlock, query_group);
  return rows < block_rows ? rows : rows / block_rows * block_rows;
}

void choose_groups(std::span<const PlanSequence> sequences, const AttentionCosts& costs,
                   const PlanShape& shape, ReaderTree* tree) {
  // The cost of one tile for all readers of a range, if they read it as they read its continuation.
  std::vector<double> apart(tree->ranges.size());
  const auto alone = [&](int i) {
    const int sequence = tree->readers[static_cast<size_t>(i)].sequence;
    const auto n_rows = static_cast<int>(sequences[static_cast<size_t>(sequence)].rows.size());
    return costs.tile(n_rows * shape.heads_per_kv_head);
  };
  for (size_t index = tree->ranges.size(); index-- > 0;) {  // children first
    SharedRange& range = tree->ranges[index];
    double separate = 0;
    int reader = range.first_reader;
    for (const int32_t child_index : range.children) {
      const SharedRange& child = tree->ranges[static_cast<size_t>(child_index)];
      for (; reader < child.first_reader; reader++) separate += alone(reader);
      separate += apart[static_cast<size_t>(child_index)];
      reader = child.first_reader + child.n_readers;
    }
    for (; reader < range.first_reader + range.n_readers; reader++) separate += alone(reader);
    const int n_queries = range.n_rows * shape.heads_per_kv_head;
    const int rows = rows_per_item(range.n_rows, shape);
    const double together = range.n_rows / rows * costs.tile(rows * shape.heads_per_kv_head) +
                            costs.tile(range.n_rows % rows * shape.heads_per_kv_head);
    const int n_tiles = range.end_tile - range.first_tile;
    range.grouped_us =
        shape.n_kv_heads * (n_tiles * together + partials_of(range) * n_queries * costs.partial_us);
    range.separate_us = shape.n_kv_heads * n_tiles * separate;
    range.grouped = range.grouped_us < kWorthwhile * range.separate_us;
    apart[index] = range.grouped ? together : separate;
  }
}

}  // namespace cachalot
