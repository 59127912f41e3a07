// Each work item's partial (out, max, sum) for each KV head: FlashAttention tiles over the blocks
// of a part, the query heads of a query group packed as rows of one tile. Shared prefixes and
// private suffixes (Hydragen, Juravsky et al. 2024) are all pieces of one list, which the blocks of
// one launch take as they get free, the costliest first.
//
// A piece with at most 16 queries gives a span of 256 keys to each warp, which reads K and V
// straight into registers; the spans then fold in order. One with more gives 16 queries to each
// warp, and all read tiles that asynchronous copies bring into a ring in shared memory. Both run
// the same code on a tile, so the bits are the same. Arithmetic: backend/arithmetic.h.

#include "cuda/device/attention_core.h"
#include "cuda/device/merge_state.h"
#include "cuda/device/partials.h"
#include "cuda/device/prepared.h"
#include "cuda/device/rope.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr int kMaxGridPerProcessor = 1;  // a block's registers fill a multiprocessor

template <int Dims>
struct AttentionTile {
  // 128 queries; 64 where a warp's state takes twice the registers, so that the ring still fits.
  static constexpr int kQueryTiles = Dims > 128 ? 4 : 8;
  static constexpr int kQueries = 16 * kQueryTiles;
  static constexpr int kStages = Dims > 128 ? 2 : 3;
  static constexpr int kBlockBytes = kTileTokens * Dims * 4 + static_cast<int>(sizeof(KeyNotes));
  static constexpr int kSharedBytes = kQueries * Dims * 2 + kStages * kBlockBytes;
  static_assert(kSharedBytes + 1024 <= 99 * 1024, "queries and ring fit every device");
};

template <int Dims, bool Exact>
class Piece {
 public:
  using Tile = AttentionTile<Dims>;
  using State = SoftmaxState<Dims>;

  SIMT_DEV Piece(const AttentionArgs& args, const DevicePlan& plan, const AttentionPiece& piece,
                 uint8_t* shared)
      : args_(args),
        shape_{args.head_dim},
        item_(plan.items[piece.item]),
        rows_(plan.item_rows + item_.first_row),
        table_(plan.parts[item_.part].table),
        kv_head_(piece.first_head),
        keys_(is_edited(table_) ? head_keys(table_, args.step->slabs, args.layer, piece.first_head)
                                : HeadKeys{}),
        end_tile_(is_edited(table_) ? last_tile() : item_.end_tile),
        scale_{args.scale_log2 * plan.parts[item_.part].sharpness, is_edited(table_)},
        query_group_(args.n_heads / args.n_kv_heads),
        n_queries_(item_.n_rows * query_group_),
        partials_(args.partials, plan, args.n_heads, args.head_dim),
        queries_(reinterpret_cast<uint16_t*>(shared)),
        ring_(shared + Tile::kQueries * Dims * 2) {}

  /** A short piece, by one warp. */
  SIMT_DEV void run_by_warp() {
    queries_ += warp() * 16 * shape_.head_dim;
    load_queries(0, lane(), 32);
    __syncwarp();
    State state;
    state.clear();
    resume(0, state);
    attend_span(ranges_of(0), item_.first_tile, end_tile_, state);
    fold(0, true, state);
  }

  SIMT_DEV void run() {
    for (int first = 0; first < n_queries_; first += Tile::kQueries) {
      __syncthreads();  // all are done with the queries before
      load_queries(first, threadIdx.x, kThreads);
      __syncthreads();
      if (n_queries_ - first <= 16) attend_spans(first);
      else attend_queries(first);
    }
  }

 private:
  SIMT_DEV int lane() const { return threadIdx.x % 32; }
  SIMT_DEV int warp() const { return threadIdx.x / 32; }

  /** Where the head's tiles of the item end: a head of an edited part may have fewer, or none. */
  SIMT_DEV int last_tile() const {
    const int n_tiles = (keys_.n_keys + kTileTokens - 1) / kTileTokens;
    return min(max(n_tiles, item_.first_tile), item_.end_tile);
  }

  /** The slot of the first key of the head that is token `index` of the part, or a later one. */
  SIMT_DEV int slot_of(int index) const {
    if (!is_edited(table_)) return index;
    int low = 0, high = keys_.n_keys;
    while (low < high) {
      const int middle = (low + high) / 2;
      const auto* notes = reinterpret_cast<const KeyNotes*>(block(middle / kTileTokens) +
                                                            kTileTokens * shape_.head_dim * 4);
      if (notes->index[middle % kTileTokens] < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  SIMT_DEV const uint8_t* block(int tile) const {
    if (is_edited(table_)) return kv_block(table_.store, keys_.blocks[tile]);
    return kv_block(table_, args_.step->slabs, tile, args_.layer, kv_head_);
  }

  /** Rotated and rounded to bf16, as mma's A: [tiles of 16 queries][steps of 16 dims][32 lanes][8].
   */
  SIMT_DEV void load_queries(int first, int thread, int n_threads) {
    const int head_dim = shape_.head_dim;
    const int n_tiles = min(Tile::kQueryTiles, (n_queries_ - first + 15) / 16);
    for (int i = thread; i < n_tiles * 16 * head_dim; i += n_threads) {
      const int query = first + i / head_dim, d = i % head_dim;
      float value = 0.0f;
      if (query < n_queries_) {
        const ItemRow& row = rows_[query / query_group_];
        const int head = kv_head_ * query_group_ + query % query_group_;
        const float* q =
            args_.q + (static_cast<int64_t>(row.row) * args_.n_heads + head) * head_dim;
        value = rotated(args_.rope, q, d, row.query_position);
      }
      const int in_tile = i / head_dim % 16, inner = d % 16;
      const int lanes = (i / head_dim / 16 * (head_dim / 16) + d / 16) * 32 + in_tile % 8 * 4;
      queries_[lanes * 8 + inner % 8 / 2 * 8 + (inner / 8 * 2 + in_tile / 8) * 2 + inner % 2] =
          bf16_bits(value);
    }
  }

  SIMT_DEV const uint16_t* queries_of(int tile) const {
    return queries_ + tile * 16 * shape_.head_dim;
  }

  SIMT_DEV KeyRanges ranges_of(int first_query) const {
    KeyRanges ranges;
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int query = first_query + lane() / 4 + 8 * i;
      const bool in = query < n_queries_;
      ranges.first[i] = in ? slot_of(rows_[query / query_group_].first_key) : 0;
      ranges.end[i] = in ? slot_of(rows_[query / query_group_].end_key) : 0;
    }
    return ranges;
  }

  SIMT_DEV int span_end(int first_tile) const {
    return min(end_tile_, (first_tile / kSpanTiles + 1) * kSpanTiles);
  }

  /** Tiles of one span, by one warp from memory. */
  SIMT_DEV void attend_span(const KeyRanges& ranges, int tile, int end, State& state) {
    for (; tile < end; tile++)
      attend_tile(shape_, queries_, block(tile), ranges, tile * kTileTokens, scale_, state);
  }

  /** At most 16 queries: warps take spans in turns, and fold them one after the other. */
  SIMT_DEV void attend_spans(int first_query) {
    const KeyRanges ranges = ranges_of(first_query);
    const int first_span = item_.first_tile / kSpanTiles;
    const int n_spans = max((end_tile_ - 1) / kSpanTiles - first_span + 1, 1);
    for (int round = 0; round < n_spans; round += kWarps) {
      const int span = round + warp();
      State state;
      state.clear();
      if (span < n_spans) {
        const int tile = max(item_.first_tile, (first_span + span) * kSpanTiles);
        const int end = span_end(tile);
        if (span == 0) resume(first_query, state);
        attend_span(ranges, tile, end, state);
      }
      for (int turn = 0; turn < kWarps && round + turn < n_spans; turn++) {
        if (turn == warp()) fold(first_query, span == 0, state);
        __syncthreads();
      }
    }
  }

  /** More queries: 16 for each warp, and tiles for all. */
  SIMT_DEV void attend_queries(int first_pass_query) {
    const int first_query = first_pass_query + warp() * 16;
    const bool works = warp() < Tile::kQueryTiles && first_query < n_queries_;
    const KeyRanges ranges = ranges_of(first_query);
    State state;
    state.clear();
    if (works) resume(first_query, state);
    const int n_tiles = end_tile_ - item_.first_tile;
    if (n_tiles == 0 && works) fold(first_query, true, state);
    for (int i = 0; i < Tile::kStages - 1; i++) load_tile(i, n_tiles);
    bool is_first = true;
    for (int i = 0; i < n_tiles; i++) {
      simt::cp_async_wait<Tile::kStages - 2>();
      __syncthreads();  // this tile is there, and all are done with the one before it
      load_tile(i + Tile::kStages - 1, n_tiles);
      const int tile = item_.first_tile + i;
      if (!works) continue;
      attend_tile(shape_, queries_of(warp()), ring_ + i % Tile::kStages * Tile::kBlockBytes, ranges,
                  tile * kTileTokens, scale_, state);
      if (tile + 1 == end_tile_ || (tile + 1) % kSpanTiles == 0) {
        fold(first_query, is_first, state);
        is_first = false;
        state.clear();
      }
    }
    simt::cp_async_wait<0>();
  }

  /** Asks for tile i of the item; past the last for nothing, so that each turn closes one group. */
  SIMT_DEV void load_tile(int i, int n_tiles) {
    if (i < n_tiles) {
      const uint8_t* from = block(item_.first_tile + i);
      uint8_t* to = ring_ + i % Tile::kStages * Tile::kBlockBytes;
      const int notes = scale_.has_notes ? static_cast<int>(sizeof(KeyNotes)) : 0;
      const int bytes = kTileTokens * shape_.head_dim * 4 + notes;
      for (int at = threadIdx.x * 16; at < bytes; at += kThreads * 16)
        simt::cp_async_16(to + at, from + at);
    }
    simt::cp_async_commit();
  }

  SIMT_DEV int64_t partial_at(int64_t partial, int query) const {
    return partials_.index(partial, kv_head_ * query_group_ + query % query_group_);
  }

  /** A thread's share of one query's state in memory: pairs of dims. */
  template <class Visit>
  SIMT_DEV void each_pair(State& state, int i, float* out, const Visit& visit) const {
#pragma unroll
    for (int octet = 0; octet < Dims / 8; octet++) {
      if (!shape_.has_octet(octet)) break;
      float(&pair)[2] = reinterpret_cast<float(&)[2]>(state.out[octet][2 * i]);
      visit(pair, out + octet * 8 + lane() % 4 * 2);
    }
  }

  /** Goes on where another item left off, inside a span. */
  SIMT_DEV void resume(int first_query, State& state) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int query = first_query + lane() / 4 + 8 * i;
      const int partial = query < n_queries_ ? rows_[query / query_group_].resumes : -1;
      if (partial < 0) continue;
      const int64_t from = partial_at(partial, query);
      each_pair(state, i, partials_.out(from), [](float(&mine)[2], const float* theirs) {
        const float2 pair = simt::ld8_l2(theirs);
        mine[0] = pair.x, mine[1] = pair.y;
      });
      const float2 scalars = simt::ld8_l2(partials_.scalars + from);
      state.max[i] = scalars.x, state.sum[i] = scalars.y;
    }
  }

  /** Merges the state into the partial; the first span of an item begins it. Called by whole warps.
   */
  SIMT_DEV void fold(int first_query, bool is_first, State& state) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int query = first_query + lane() / 4 + 8 * i;
      const bool in = query < n_queries_;
      const int64_t at = in ? partial_at(item_.first_partial + query / query_group_, query) : 0;
      float* into = partials_.out(at);
      float max = -INFINITY, sum = 0.0f;
      if (in && !is_first) {
        const float2 scalars = simt::ld8(partials_.scalars + at);
        max = scalars.x, sum = scalars.y;
      }
      __syncwarp();  // the four lanes of a query have read them
      if (!in) continue;
      const StateMerge merge(max, sum, state.max[i], state.sum[i]);
      // What memory held before an item's first span is nothing, so an empty state is written, too.
      if (is_first || merge.which == MergeCase::kReplace) {
        each_pair(state, i, into, [](const float(&mine)[2], float* theirs) {
          simt::st8(theirs, {mine[0], mine[1]});
        });
      } else if (merge.which == MergeCase::kBlend) {
        each_pair(state, i, into, [&merge](const float(&mine)[2], float* theirs) {
          const float2 before = simt::ld8(theirs);
          simt::st8(theirs, {merge.blend(before.x, mine[0]), merge.blend(before.y, mine[1])});
        });
      }
      if (lane() % 4 == 0) simt::st8(partials_.scalars + at, {merge.max, merge.sum});
    }
    __syncwarp();
  }

  const AttentionArgs& args_;
  const HeadShape<Dims, Exact> shape_;
  const WorkItem item_;
  const ItemRow* rows_;
  const KvTable table_;
  const int kv_head_;
  const HeadKeys keys_;  // of an edited part
  const int end_tile_;   // where this head's tiles of the item end
  const ScoreScale scale_;
  const int query_group_, n_queries_;
  const Partials partials_;
  uint16_t* queries_;
  uint8_t* ring_;
};

/** The next bundle that nobody has taken. */
SIMT_DEV int take_bundle(int* counters) {
  SIMT_SHARED(int, taken);
  __syncthreads();  // all have read the one before
  if (threadIdx.x == 0) taken = atomicAdd(counters, 1);
  __syncthreads();
  return taken;
}

/** Pieces are taken in order, so those it waits for are with blocks that are running. */
SIMT_DEV void wait_for_pieces(const int* done, int n) {
  if (n > 0 && threadIdx.x == 0) {
    while (simt::ld_acquire(done) < n) __nanosleep(100);
  }
  __syncthreads();
}

/** The last block to leave makes the counters ready for the next launch. */
SIMT_DEV void leave_launch(int* counters) {
  if (threadIdx.x != 0) return;
  __threadfence();
  if (atomicAdd(counters + 2, 1) != static_cast<int>(gridDim.x) - 1) return;
  __threadfence();
  counters[0] = counters[1] = counters[2] = 0;
}

template <int Dims, bool Exact>
__global__ void __launch_bounds__(kThreads, 1)
    attention_kernel(const __grid_constant__ AttentionArgs args) {
  SIMT_DYN_SMEM(uint8_t, shared);
  const DevicePlan& plan = args.step->plans[args.plan];
  const int warp = threadIdx.x / 32;
  for (int i = take_bundle(args.counters); i < plan.n_bundles; i = take_bundle(args.counters)) {
    const DeviceBundle bundle = plan.bundles[i];
    wait_for_pieces(args.counters + 1, bundle.after);
    const AttentionPiece* pieces = plan.pieces + bundle.first_piece;
    if (!bundle.is_short) Piece<Dims, Exact>(args, plan, pieces[0], shared).run();
    else if (warp < bundle.n_pieces)
      Piece<Dims, Exact>(args, plan, pieces[warp], shared).run_by_warp();
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();  // what the block wrote is there before it is counted
      atomicAdd(args.counters + 1, bundle.n_pieces);
    }
  }
  leave_launch(args.counters);
}

template <int Dims, bool Exact>
void launch_attention(const LaunchContext& context, const AttentionArgs& args) {
  simt::launch(attention_kernel<Dims, Exact>,
               dim3(kMaxGridPerProcessor * context.n_multiprocessors), dim3(kThreads),
               AttentionTile<Dims>::kSharedBytes, context.stream, args);
}

}  // namespace

void attention(const LaunchContext& context, const AttentionArgs& args) {
  const int head_dim = args.head_dim;
  if (head_dim == 64) launch_attention<64, true>(context, args);
  else if (head_dim == 128) launch_attention<128, true>(context, args);
  else if (head_dim < 128) launch_attention<128, false>(context, args);
  else launch_attention<256, false>(context, args);
}

}  // namespace cachalot::cuda
