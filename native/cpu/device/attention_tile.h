// One tile of a span, for kernels that take queries a few at a time.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu {

/** One online-softmax step of some queries over one tile. */
struct AttentionTile {
  const uint8_t* keys;    // block of K
  const uint8_t* values;  // block of V
  const float* weights;   // [32] added to the scores in base 2; null: none. -inf: the key is absent
  uint32_t present;       // bit t: key t is not absent
  const uint8_t* next;    // the block that will be read next; may be null
  KvFormat format;
  int32_t head_dim;              // D, even
  int32_t n_queries;             // n
  const float* queries;          // [n, D] f32, rotated
  const uint16_t* queries_bf16;  // [n, D] the same rounded, for bf16 keys
  const int32_t* first_keys;     // [n] the query reads the keys of the tile from here; may be < 0
  const int32_t* end_keys;       // [n] to here; may be > 32
  int32_t first_key;             // both count from this key
  float scale;                   // of q k^T, times log2(e)
  float *out, *max, *sum;        // states
};

/** Prefetches the whole next block, which lies where the hardware does not look. All at once:
 * spread over the arithmetic, the same requests gained nothing (16 instead of 32 GB/s). */
static inline void prefetch_next(const AttentionTile& tile) {
  constexpr int64_t kMost = 16384;  // the room in the first-level cache besides this tile
  const int64_t block = 2 * (tile.values - tile.keys);
  if (tile.next == nullptr) return;
  for (int64_t line = 0; line < (block < kMost ? block : kMost); line += 64)
    __builtin_prefetch(tile.next + line, 0, 3);
}

/** Bits of the first n keys of a tile. */
static inline uint32_t first_bits(int n) {
  return n <= 0 ? 0 : n >= kTileTokens ? ~(uint32_t)0 : ((uint32_t)1 << n) - 1;
}

/** Bit t: the query reads key t. */
static inline uint32_t key_mask(const AttentionTile& tile, int query) {
  return tile.present & first_bits(tile.end_keys[query] - tile.first_key) &
         ~first_bits(tile.first_keys[query] - tile.first_key);
}

/** The log-weights of a span's tile; null: none. */
static inline const float* weights_of(const AttentionSpan& span, int i) {
  return span.weight_offset == 0 ? NULL
                                 : (const float*)(const void*)(span.tiles[i] + span.weight_offset);
}

/** Bit t: key t has a weight that is not -inf. */
static inline uint32_t present_keys(const float* weights) {
  if (weights == NULL) return ~(uint32_t)0;
  uint32_t present = 0;
  for (int t = 0; t < kTileTokens; t++) present |= (uint32_t)(weights[t] != -__builtin_inff()) << t;
  return present;
}

/** Tile `i` of a span, for its queries from `query` on. */
static inline AttentionTile tile_of(const AttentionSpan& span, int i, int query) {
  const int64_t vector = (int64_t)query * span.head_dim;
  return {span.tiles[i],
          span.tiles[i] + span.value_offset,
          weights_of(span, i),
          present_keys(weights_of(span, i)),
          i + 1 < span.n_tiles ? span.tiles[i + 1] : span.next,
          span.format,
          span.head_dim,
          span.n_queries - query,
          span.queries + vector,
          span.queries_bf16 + vector,
          span.first_keys + query,
          span.end_keys + query,
          span.first_key + i * kTileTokens,
          span.scale,
          span.state.out + vector,
          span.state.max + query,
          span.state.sum + query};
}

}  // namespace cachalot::cpu
