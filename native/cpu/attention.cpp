// For each (work item, KV head): rotate the queries of its rows, walk the tiles of its part, fold
// spans into the span group's partial. The queries of all rows and of all heads of the query group
// go through a tile together, so a block of K and V is read once for all of them. One head after
// the other: to take a tile's heads in turn, which reads memory in runs of 24 KB and not of 8,
// gained nothing (smollm2-135m after 8,192 tokens, two threads of Zen 3: 28 and 30 ms a token, not
// 26 and 28). Arithmetic: backend/arithmetic.h.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "cpu/device/merge_state.h"
#include "cpu/ops.h"
#include "cpu/rotation.h"

namespace cachalot::cpu {

namespace {

/** Memory of one thread for the widest item, cut into arrays. */
struct Workspace {
  int n_queries;
  float* queries;
  AttentionState span, span_group;
  int32_t *first_keys, *end_keys;
  uint16_t* queries_bf16;

  static size_t bytes(int n_queries, int head_dim) {
    const auto vectors = static_cast<size_t>(n_queries) * static_cast<size_t>(head_dim);
    return (vectors * (3 * 4 + 2) + static_cast<size_t>(n_queries) * 6 * 4 + 63) / 64 * 64;
  }

  Workspace(uint8_t* memory, int n, int dim) : n_queries(n) {
    const int64_t vectors = int64_t{n} * dim;
    queries = reinterpret_cast<float*>(memory);
    float* scalars = queries + 3 * vectors;
    span = {queries + vectors, scalars, scalars + n};
    span_group = {queries + 2 * vectors, scalars + 2 * n, scalars + 3 * n};
    first_keys = reinterpret_cast<int32_t*>(scalars + 4 * n);
    end_keys = first_keys + n;
    queries_bf16 = reinterpret_cast<uint16_t*>(end_keys + n);
  }
};

/** One work item, one KV head after the other. With a query group of n heads, query i * n + j is
 * head j of the query group for row i of the item. */
class ItemWork {
 public:
  ItemWork(const OpContext& context, const AttentionParams& params, const AttentionPlan& plan,
           const AttentionPiece& piece, uint8_t* memory)
      : context_(context),
        params_(params),
        item_(plan.items[static_cast<size_t>(piece.item)]),
        part_(plan.parts[static_cast<size_t>(item_.part)]),
        rows_(plan.item_rows.data() + item_.first_row),
        kv_head_(piece.first_head),
        end_head_(piece.first_head + piece.n_heads),
        query_group_(params.n_heads / params.n_kv_heads),
        head_dim_(params.head_dim),
        work_(memory, item_.n_rows * query_group_, head_dim_) {}

  void run() {
    for (; kv_head_ < end_head_; kv_head_++) {
      if (is_edited(part_.table))
        keys_ = head_keys(part_.table, context_.step.slabs.data(), params_.layer, kv_head_);
      run_head();
    }
  }

 private:
  void run_head() {
    load_queries();
    const int end_tile = this->end_tile();
    // If the item has one span, as most have when decoding, the span's state is the item's.
    const bool one_span = item_.first_tile / kSpanTiles == (end_tile - 1) / kSpanTiles;
    if (end_tile == item_.first_tile) begin_span(true);
    for (int tile = item_.first_tile; tile < end_tile;) {
      const int end = std::min(end_tile, (tile / kSpanTiles + 1) * kSpanTiles);
      begin_span(tile == item_.first_tile);
      run_span(tile, end);
      if (!one_span)
        context_.kernels.merge_states(work_.span_group, work_.span, work_.n_queries, head_dim_);
      tile = end;
    }
    store_partials(one_span ? work_.span : work_.span_group);
  }

  /** Where the head's tiles of the item end: a head of an edited part may have fewer, or none. */
  int end_tile() const {
    if (!is_edited(part_.table)) return item_.end_tile;
    const int n_tiles = (keys_.n_keys + kTileTokens - 1) / kTileTokens;
    return std::clamp(n_tiles, item_.first_tile, item_.end_tile);
  }

  void load_queries() {
    for (int query = 0; query < work_.n_queries; query++) {
      const ItemRow& row = rows_[query / query_group_];
      const int head = kv_head_ * query_group_ + query % query_group_;
      const float* q = params_.q + (int64_t{row.row} * params_.n_heads + head) * head_dim_;
      const Rotation rotation = rotation_at(params_.rope, row.query_position, head_dim_);
      context_.kernels.rotate(&rotation, q, work_.queries + int64_t{query} * head_dim_);
      work_.first_keys[query] = slot_of(row.first_key);
      work_.end_keys[query] = slot_of(row.end_key);
      clear_state(state_at(work_.span_group, query, head_dim_), head_dim_);
    }
    if (params_.format == KvFormat::kBF16) {
      context_.kernels.round_bf16(work_.queries, int64_t{work_.n_queries} * head_dim_,
                                  work_.queries_bf16);
    }
  }

  /** The slot of the first key of the head that is token `index` of the part, or a later one. */
  int slot_of(int index) const {
    if (!is_edited(part_.table)) return index;
    int low = 0, high = keys_.n_keys;
    while (low < high) {
      const int middle = (low + high) / 2;
      if (notes(middle / kTileTokens).index[middle % kTileTokens] < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  const KeyNotes& notes(int tile) const {
    const KvStore& store = part_.table.store;
    return *reinterpret_cast<const KeyNotes*>(block(tile, kv_head_) +
                                              kv_notes_offset(store.layout));
  }

  void begin_span(bool is_first) {
    for (int query = 0; query < work_.n_queries; query++) {
      const int32_t partial = is_first ? rows_[query / query_group_].resumes : -1;
      const AttentionState state = state_at(work_.span, query, head_dim_);
      if (partial >= 0) copy_state(partial_at(partial, query), state, head_dim_);
      else clear_state(state, head_dim_);
    }
  }

  void run_span(int first_tile, int end_tile) {
    const uint8_t* tiles[kSpanTiles];
    for (int tile = first_tile; tile < end_tile; tile++)
      tiles[tile - first_tile] = block(tile, kv_head_);
    const KvLayout& layout = part_.table.store.layout;
    const AttentionSpan task{tiles,
                             static_cast<int64_t>(kv_value_offset(layout)),
                             weight_offset(),
                             end_tile - first_tile,
                             next_block(end_tile),
                             first_tile * kTileTokens,
                             params_.format,
                             head_dim_,
                             work_.n_queries,
                             work_.queries,
                             work_.queries_bf16,
                             work_.first_keys,
                             work_.end_keys,
                             params_.scale * kLog2E * part_.sharpness,
                             work_.span};
    context_.kernels.attention_span(&task);
  }

  int64_t weight_offset() const {
    const KvLayout& layout = part_.table.store.layout;
    return is_edited(part_.table)
               ? static_cast<int64_t>(kv_notes_offset(layout) + offsetof(KeyNotes, weight))
               : 0;
  }

  /** The block that will be read after the one before `tile`; null if there is none. */
  const uint8_t* next_block(int tile) const {
    if (tile < end_tile()) return block(tile, kv_head_);
    const bool has_next = kv_head_ + 1 < end_head_ && !is_edited(part_.table);
    return has_next ? block(item_.first_tile, kv_head_ + 1) : nullptr;
  }

  const uint8_t* block(int tile, int kv_head) const {
    if (is_edited(part_.table)) return kv_block(part_.table.store, keys_.blocks[tile]);
    return kv_block(part_.table, context_.step.slabs.data(), tile, params_.layer, kv_head);
  }

  AttentionState partial_at(int64_t partial, int query) const {
    const int head = kv_head_ * query_group_ + query % query_group_;
    float* out = params_.partials + (partial * params_.n_heads + head) * (head_dim_ + 2);
    return {out, out + head_dim_, out + head_dim_ + 1};
  }

  void store_partials(const AttentionState& states) {
    for (int query = 0; query < work_.n_queries; query++) {
      const int64_t partial = item_.first_partial + query / query_group_;
      copy_state(state_at(states, query, head_dim_), partial_at(partial, query), head_dim_);
    }
  }

  const OpContext& context_;
  const AttentionParams& params_;
  const WorkItem& item_;
  const ContextPart& part_;
  const ItemRow* rows_;
  int kv_head_, end_head_, query_group_, head_dim_;
  HeadKeys keys_{};  // of this KV head, if the part is edited
  Workspace work_;
};

}  // namespace

void attention(const OpContext& context, const AttentionParams& params) {
  const AttentionPlan& plan = context.step.plans[static_cast<size_t>(params.plan)];
  CHECK(params.n_heads % params.n_kv_heads == 0, "query heads are a multiple of KV heads");
  int widest = 0;
  for (const auto& item : plan.items)
    widest = std::max(widest, item.n_rows * (params.n_heads / params.n_kv_heads));
  const size_t bytes = Workspace::bytes(widest, params.head_dim);
  uint8_t* memory = context.scratch.get(bytes * static_cast<size_t>(context.pool.size()));
  int first = 0;
  for (const int end : plan.phase_ends) {
    context.pool.parallel_for(end - first, [&](int i, int thread) {
      const AttentionPiece& piece = plan.pieces[static_cast<size_t>(first + i)];
      ItemWork(context, params, plan, piece, memory + bytes * static_cast<size_t>(thread)).run();
    });
    first = end;
  }
}

}  // namespace cachalot::cpu
