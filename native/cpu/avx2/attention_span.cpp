// One online-softmax step of each query over each tile of 32 keys; avx512/attention_few.h states
// the formula. The layouts are the same: f32 K is [D][32], V is [32][D]; bf16 K is [D/2][32][2], V
// is [16][D][2], widened to f32 in registers. A few queries share every load of K and V, and each
// has its own registers; a score is added up along D, an output along the keys, in order. So what a
// query gets never depends on its neighbours. Most lines of the next block are fetched twice,
// because what is asked for while many lines are under way may be dropped (Zen 3). To widen a tile
// once for 12 to 64 queries gained at most 5 %.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/attention_tile.h"
#include "cpu/device/merge_state.h"

namespace cachalot::cpu::avx2 {

namespace {

/** How K and V lie: in rows, of which kTogether are interleaved. `at`: of the first of 8 numbers of
 * the first of these; `row` counts from that. kMost: the most queries whose sums stay in registers,
 * beside what is added to them. */
struct F32Rows {
  static constexpr int kMost = 6;
  static constexpr int kTogether = 1;
  static int64_t bytes(int n) { return 4 * int64_t{n}; }
  static __m256 load(const uint8_t* block, int at, int, int left) {
    return load_first(reinterpret_cast<const float*>(block) + at, left);
  }
};
struct Bf16Rows {
  static constexpr int kMost = 4;
  static constexpr int kTogether = 2;
  static int64_t bytes(int n) { return 2 * int64_t{n}; }
  static __m256 load(const uint8_t* block, int at, int row, int left) {
    const auto* pairs = reinterpret_cast<const int*>(block + bytes(at));
    const __m256i both = left >= 8 ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs))
                                   : _mm256_maskload_epi32(pairs, first(left));
    return row == 0 ? first_of_pairs(both) : second_of_pairs(both);
  }
};

/** Sums of kQueries queries for 8 * kWidth columns of K or V. */
template <int kQueries, int kWidth>
using Sums = __m256[kQueries][kWidth];

/** Adds to each query's sums its number for a row times that row, for rows that lie together.
 * `numbers`: the first query's, one per row; `stride`: to the next query's. */
template <class Rows, int kQueries, int kWidth>
[[gnu::always_inline]] inline void add_rows(const uint8_t* block, int at, int left,
                                            const float* numbers, int stride,
                                            Sums<kQueries, kWidth>& sums) {
#pragma GCC unroll 2
  for (int row = 0; row < Rows::kTogether; row++) {
    __m256 x[kWidth];
#pragma GCC unroll 4
    for (int i = 0; i < kWidth; i++)
      x[i] = Rows::load(block, at + Rows::kTogether * 8 * i, row, left);
#pragma GCC unroll 6
    for (int query = 0; query < kQueries; query++) {
      const __m256 factor = _mm256_broadcast_ss(numbers + query * stride + row);
#pragma GCC unroll 4
      for (int i = 0; i < kWidth; i++)
        sums[query][i] = _mm256_fmadd_ps(factor, x[i], sums[query][i]);
    }
  }
}

/** Scores of kQueries queries with 8 * kParts keys from `key` on. `next`: block to be fetched. */
template <class Rows, int kQueries, int kParts>
void score(const AttentionTile& tile, const uint8_t* next, int query, int key, __m256 (*s)[4]) {
  const float* q = tile.queries + int64_t{query} * tile.head_dim;
  Sums<kQueries, kParts> sums = {};
  for (int d = 0; d < tile.head_dim; d += Rows::kTogether) {
    const int at = d * kTileTokens;
    fetch<1, 2>(next, Rows::bytes(at));
    add_rows<Rows, kQueries, kParts>(tile.keys, at + Rows::kTogether * key, 8, q + d, tile.head_dim,
                                     sums);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kQueries; i++)
#pragma GCC unroll 4
    for (int part = 0; part < kParts; part++) s[i][key / 8 + part] = sums[i][part];
}

/** All bits of lane i where bit i is set. */
inline __m256 lanes(uint32_t bits) {
  const __m256i select = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), select);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, select));
}

/** Turns scores into probabilities and updates max and sum; returns the factor of the old state.
 * `mask`: the keys that the query reads; kAll: it reads all. */
template <bool kAll>
float softmax_step(const AttentionTile& tile, int query, uint32_t mask, const __m256* s, float* p) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff()), scale = _mm256_set1_ps(tile.scale);
  __m256 a[4], largest = lowest;
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) {
    a[part] = _mm256_mul_ps(s[part], scale);
    if (tile.weights != NULL)
      a[part] = _mm256_add_ps(a[part], _mm256_loadu_ps(tile.weights + 8 * part));
    if (!kAll) a[part] = _mm256_blendv_ps(lowest, a[part], lanes(mask >> 8 * part));
    largest = _mm256_max_ps(largest, a[part]);
  }
  const float old_max = tile.max[query], tile_max = max_lane(largest);
  const float new_max = tile_max > old_max ? tile_max : old_max;
  __m256 sum = _mm256_setzero_ps();
#pragma GCC unroll 4
  for (int part = 0; part < 4; part++) {
    __m256 value = exp2_ps(_mm256_sub_ps(a[part], _mm256_set1_ps(new_max)));
    if (!kAll) value = _mm256_and_ps(lanes(mask >> 8 * part), value);
    _mm256_store_ps(p + 8 * part, value);
    sum = _mm256_add_ps(sum, value);
  }
  const float factor = old_max == -__builtin_inff() ? 0.0f : exp2_f32(old_max - new_max);
  tile.sum[query] = tile.sum[query] * factor + add_lanes(sum);
  tile.max[query] = new_max;
  return factor;
}

/** out = factor * out + p V for 8 * kGroups columns; for those that are left if kGroups is 1. */
template <class Rows, int kQueries, int kGroups>
void accumulate(const AttentionTile& tile, const uint8_t* next, int query, int column,
                const float* factors, const float (*p)[kTileTokens]) {
  const int left = kGroups == 1 ? tile.head_dim - column : 8;
  float* out = tile.out + int64_t{query} * tile.head_dim + column;
  Sums<kQueries, kGroups> sums;
#pragma GCC unroll 6
  for (int i = 0; i < kQueries; i++)
#pragma GCC unroll 4
    for (int group = 0; group < kGroups; group++)
      sums[i][group] = _mm256_mul_ps(load_first(out + i * tile.head_dim + 8 * group, left),
                                     _mm256_set1_ps(factors[i]));
  for (int key = 0; key < kTileTokens; key += Rows::kTogether) {
    const int at = key * tile.head_dim + Rows::kTogether * column;
    fetch<1, 2>(next, Rows::bytes(at));
    add_rows<Rows, kQueries, kGroups>(tile.values, at, left, p[0] + key, kTileTokens, sums);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kQueries; i++)
#pragma GCC unroll 4
    for (int group = 0; group < kGroups; group++)
      store_first(out + i * tile.head_dim + 8 * group, left, sums[i][group]);
}

template <class Rows, int kQueries>
void queries(const AttentionTile& tile, const uint8_t* next, int query) {
  constexpr int kParts = kQueries > 2 ? 2 : 4, kGroups = kParts;
  __m256 s[kQueries][4];
  for (int key = 0; key < kTileTokens; key += 8 * kParts)
    score<Rows, kQueries, kParts>(tile, next, query, key, s);
  alignas(32) float p[kQueries][kTileTokens];
  float factors[kQueries];
  for (int i = 0; i < kQueries; i++) {
    const uint32_t mask = key_mask(tile, query + i);
    factors[i] = mask == ~(uint32_t)0 ? softmax_step<true>(tile, query + i, mask, s[i], p[i])
                                      : softmax_step<false>(tile, query + i, mask, s[i], p[i]);
  }
  const uint8_t* next_values = next == NULL ? NULL : next + (tile.values - tile.keys);
  int column = 0;
  for (; column + 8 * kGroups <= tile.head_dim; column += 8 * kGroups)
    accumulate<Rows, kQueries, kGroups>(tile, next_values, query, column, factors, p);
  for (; column < tile.head_dim; column += 8)
    accumulate<Rows, kQueries, 1>(tile, next_values, query, column, factors, p);
}

/** `n` at most kQueries. */
template <class Rows, int kQueries>
void n_queries(const AttentionTile& tile, const uint8_t* next, int query, int n) {
  if (n == kQueries) return queries<Rows, kQueries>(tile, next, query);
  if constexpr (kQueries > 1) n_queries<Rows, kQueries - 1>(tile, next, query, n);
}

// A query that reads nothing of the tile is left alone: its state keeps its bits.
template <class Rows>
void all_queries(const AttentionTile& tile) {
  const uint8_t* next = tile.next;
  int query = 0;
  while (query < tile.n_queries) {
    int n = 0;
    while (n < Rows::kMost && query + n < tile.n_queries && key_mask(tile, query + n) != 0) n++;
    if (n > 0) {
      n_queries<Rows, Rows::kMost>(tile, next, query, n);
      next = NULL;
    }
    query += n > 0 ? n : 1;
  }
}

void attend_tile(const AttentionTile& tile) {
  if (tile.format == KvFormat::kF32) all_queries<F32Rows>(tile);
  else all_queries<Bf16Rows>(tile);
}

}  // namespace

void attention_span(const AttentionSpan* span) {
  for (int i = 0; i < span->n_tiles; i++) attend_tile(tile_of(*span, i, 0));
}

void merge_states(AttentionState into, AttentionState later, int32_t n, int32_t head_dim) {
  merge_each_state(into, later, n, head_dim);
}

}  // namespace cachalot::cpu::avx2
