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

/** Prefetches kLines lines of the next block, about where the arithmetic is in this one: what is
 * asked for all at once, at the beginning of a tile, comes at half the speed. kLevel: into the
 * first or the second level of caches, whichever is faster on the processors of a path. Always
 * inlined, because GCC takes a function that only prefetches for one that does nothing. */
template <int kLevel, int kLines>
[[gnu::always_inline]] inline void fetch(const uint8_t* next, int64_t at) {
  if (next == NULL) return;
#pragma GCC unroll 4
  for (int i = 0; i < kLines; i++) __builtin_prefetch(next + at + 64 * i, 0, 4 - kLevel);
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
