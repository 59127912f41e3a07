// For each (work item, KV head): rotate the queries of its rows, walk the tiles of its run, fold
// spans into the group's partial. The queries of all rows and of all heads of the KV group go
// through a tile together, so a block of K and V is read once for all of them. Arithmetic:
// backend/attention_plan.h.

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "cpu/device/attention_state.h"
#include "cpu/device/kv_block.h"
#include "cpu/device/rope.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

/** Memory of one thread for the widest item, cut into arrays. */
struct Workspace {
  int n_queries, head_dim;
  float *queries, *span_out, *span_max, *span_sum, *group_out, *group_max, *group_sum;
  uint16_t* queries_bf16;
  uint32_t* key_masks;

  static size_t bytes(int n_queries, int head_dim) {
    const auto vectors = static_cast<size_t>(n_queries) * static_cast<size_t>(head_dim);
    return (vectors * (3 * 4 + 2) + static_cast<size_t>(n_queries) * 5 * 4 + 63) / 64 * 64;
  }

  Workspace(uint8_t* memory, int n, int dim) : n_queries(n), head_dim(dim) {
    const int64_t vectors = int64_t{n} * dim;
    queries = reinterpret_cast<float*>(memory);
    span_out = queries + vectors;
    group_out = span_out + vectors;
    span_max = group_out + vectors;
    span_sum = span_max + n;
    group_max = span_sum + n;
    group_sum = group_max + n;
    key_masks = reinterpret_cast<uint32_t*>(group_sum + n);
    queries_bf16 = reinterpret_cast<uint16_t*>(key_masks + n);
  }

  AttentionState span(int query) const {
    return {span_out + int64_t{query} * head_dim, span_max + query, span_sum + query};
  }
  AttentionState group(int query) const {
    return {group_out + int64_t{query} * head_dim, group_max + query, group_sum + query};
  }
};

/** Bits of the first n keys of a tile. */
uint32_t first_keys(int n) {
  return n <= 0 ? 0 : n >= kTileTokens ? ~uint32_t{0} : (uint32_t{1} << n) - 1;
}

/** One work item for one KV head. Query i * group + j is head j of the group for row i of the item.
 */
class ItemRun {
 public:
  ItemRun(const OpContext& context, const AttentionParams& params, const WorkItem& item,
          int kv_head, uint8_t* memory)
      : context_(context),
        params_(params),
        item_(item),
        run_(params.plan->runs[static_cast<size_t>(item.run)]),
        rows_(params.plan->item_rows.data() + item.first_row),
        kv_head_(kv_head),
        group_(params.n_heads / params.store.n_kv_heads),
        work_(memory, item.n_rows * group_, params.store.head_dim) {}

  void run() {
    load_queries();
    for (int tile = item_.first_tile; tile < item_.end_tile;) {
      const int end = std::min(item_.end_tile, (tile / kSpanTiles + 1) * kSpanTiles);
      for (int query = 0; query < work_.n_queries; query++) work_.span(query).clear(work_.head_dim);
      for (; tile < end; tile++) step(tile);
      for (int query = 0; query < work_.n_queries; query++) {
        work_.group(query).merge(work_.span(query), work_.head_dim);
      }
    }
    store_partials();
  }

 private:
  void load_queries() {
    const int head_dim = work_.head_dim;
    for (int query = 0; query < work_.n_queries; query++) {
      const ItemRow& row = rows_[query / group_];
      const int head = kv_head_ * group_ + query % group_;
      const float* q = params_.q + (int64_t{row.row} * params_.n_heads + head) * head_dim;
      rotate(params_.rope, row.query_position, q, head_dim,
             work_.queries + int64_t{query} * head_dim);
      work_.group(query).clear(head_dim);
    }
    if (params_.store.format == KvFormat::kBF16) {
      context_.kernels.round_bf16(work_.queries, int64_t{work_.n_queries} * head_dim,
                                  work_.queries_bf16);
    }
  }

  void step(int tile) {
    for (int query = 0; query < work_.n_queries; query++) {
      const ItemRow& row = rows_[query / group_];
      work_.key_masks[query] = first_keys(row.end_key - tile * kTileTokens) &
                               ~first_keys(row.first_key - tile * kTileTokens);
    }
    const uint8_t* keys = kv_block(params_.store, run_.blocks[tile], params_.layer, kv_head_);
    const AttentionTile task{keys,
                             keys + kv_half_bytes(params_.store),
                             static_cast<uint32_t>(params_.store.format),
                             work_.head_dim,
                             work_.n_queries,
                             work_.queries,
                             work_.queries_bf16,
                             work_.key_masks,
                             params_.scale * kLog2E,
                             work_.span_out,
                             work_.span_max,
                             work_.span_sum};
    context_.kernels.attention_tile(&task);
  }

  void store_partials() {
    const int head_dim = work_.head_dim;
    for (int query = 0; query < work_.n_queries; query++) {
      const int64_t partial = item_.first_partial + query / group_;
      const int head = kv_head_ * group_ + query % group_;
      float* out = params_.partials + (partial * params_.n_heads + head) * (head_dim + 2);
      const AttentionState state = work_.group(query);
      std::copy_n(state.out, head_dim, out);
      out[head_dim] = *state.max;
      out[head_dim + 1] = *state.sum;
    }
  }

  const OpContext& context_;
  const AttentionParams& params_;
  const WorkItem& item_;
  const ContextRun& run_;
  const ItemRow* rows_;
  int kv_head_, group_;
  Workspace work_;
};

}  // namespace

void attention(const OpContext& context, const AttentionParams& params) {
  const auto& items = params.plan->items;
  const KvStore& store = params.store;
  CHECK(params.n_heads % store.n_kv_heads == 0, "query heads are a multiple of KV heads");
  int widest = 0;
  for (const auto& item : items)
    widest = std::max(widest, item.n_rows * (params.n_heads / store.n_kv_heads));
  const size_t bytes = Workspace::bytes(widest, store.head_dim);
  uint8_t* memory = context.scratch.get(bytes * static_cast<size_t>(context.pool.size()));
  context.pool.parallel_for(
      static_cast<int>(items.size()) * store.n_kv_heads, [&](int piece, int thread) {
        const WorkItem& item = items[static_cast<size_t>(piece / store.n_kv_heads)];
        ItemRun(context, params, item, piece % store.n_kv_heads,
                memory + bytes * static_cast<size_t>(thread))
            .run();
      });
}

}  // namespace cachalot::cpu
