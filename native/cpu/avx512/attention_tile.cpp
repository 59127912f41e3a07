// One online-softmax step over a tile of 32 keys (FlashAttention, Dao et al. 2022; state in base
// 2):
//   s = scale * q K^T;  m' = max(m, max s);  p = 2^(s - m');  a = 2^(m - m')
//   out = a out + p V;  sum = a sum + sum(p);  m = m'
// bf16: K is [D/2][32][2] and V is [16][D][2], so that a register of vdpbf16ps holds 16 keys (or 16
// columns of V) and the query (or probability) pair is broadcast. f32: K is [D][32], V is [32][D],
// fma. Four queries share every load of K and V; each has its own registers, so its arithmetic does
// not depend on its neighbours.

#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"

namespace cachalot::cpu::avx512 {

namespace {

constexpr int kTile = 32;
constexpr uint32_t kFormatF32 = 0;  // KvFormat's numbers

/** Scores of one query: 32 keys in two registers. */
struct Scores {
  __m512 low, high;
};

template <int kQueries>
void score_f32(const AttentionTile& tile, int query, Scores* s) {
  const auto* keys = reinterpret_cast<const float*>(tile.keys);
  for (int d = 0; d < tile.head_dim; d++) {
    const __m512 low = _mm512_loadu_ps(keys + d * kTile),
                 high = _mm512_loadu_ps(keys + d * kTile + 16);
    for (int i = 0; i < kQueries; i++) {
      const __m512 q = _mm512_set1_ps(tile.queries[(query + i) * tile.head_dim + d]);
      s[i].low = _mm512_fmadd_ps(q, low, s[i].low);
      s[i].high = _mm512_fmadd_ps(q, high, s[i].high);
    }
  }
}

inline __m512bh pair_of(const uint16_t* values) {
  int32_t pair;
  __builtin_memcpy(&pair, values, 4);
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
}

inline __m512bh load_pairs(const uint16_t* values) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(values));
}

template <int kQueries>
void score_bf16(const AttentionTile& tile, int query, Scores* s) {
  const auto* keys = reinterpret_cast<const uint16_t*>(tile.keys);
  for (int d = 0; d < tile.head_dim; d += 2) {
    const __m512bh low = load_pairs(keys + d * kTile), high = load_pairs(keys + d * kTile + 32);
    for (int i = 0; i < kQueries; i++) {
      const __m512bh q = pair_of(tile.queries_bf16 + (query + i) * tile.head_dim + d);
      s[i].low = _mm512_dpbf16_ps(s[i].low, low, q);
      s[i].high = _mm512_dpbf16_ps(s[i].high, high, q);
    }
  }
}

/** Turns scores into probabilities and updates max and sum; returns the factor of the old state. */
inline float soften(const AttentionTile& tile, int query, const Scores& s, __m512* low,
                    __m512* high) {
  const auto mask_low = static_cast<__mmask16>(tile.key_masks[query]),
             mask_high = static_cast<__mmask16>(tile.key_masks[query] >> 16);
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff()), scale = _mm512_set1_ps(tile.scale);
  const __m512 a = _mm512_mask_mul_ps(lowest, mask_low, s.low, scale);
  const __m512 b = _mm512_mask_mul_ps(lowest, mask_high, s.high, scale);
  const float old_max = tile.max[query];
  const float tile_max = _mm512_reduce_max_ps(_mm512_max_ps(a, b));
  const float new_max = tile_max > old_max ? tile_max : old_max;
  const __m512 shift = _mm512_set1_ps(new_max);
  *low = _mm512_maskz_mov_ps(mask_low, exp2_ps(_mm512_sub_ps(a, shift)));
  *high = _mm512_maskz_mov_ps(mask_high, exp2_ps(_mm512_sub_ps(b, shift)));
  const float factor = old_max == -__builtin_inff() ? 0.0f : exp2_f32(old_max - new_max);
  tile.sum[query] = tile.sum[query] * factor + _mm512_reduce_add_ps(_mm512_add_ps(*low, *high));
  tile.max[query] = new_max;
  return factor;
}

/** out = factor * out + p V for kQueries queries, 64 columns at a time. */
template <int kQueries>
void accumulate_f32(const AttentionTile& tile, int query, const float* factors,
                    const float (*p)[kTile]) {
  const auto* values = reinterpret_cast<const float*>(tile.values);
  for (int column = 0; column < tile.head_dim; column += 16) {
    const __mmask16 mask = first(tile.head_dim - column);
    __m512 acc[kQueries];
    for (int i = 0; i < kQueries; i++) {
      const float* out = tile.out + (query + i) * tile.head_dim + column;
      acc[i] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, out), _mm512_set1_ps(factors[i]));
    }
    for (int key = 0; key < kTile; key++) {
      const __m512 v = _mm512_maskz_loadu_ps(mask, values + key * tile.head_dim + column);
      for (int i = 0; i < kQueries; i++)
        acc[i] = _mm512_fmadd_ps(_mm512_set1_ps(p[i][key]), v, acc[i]);
    }
    for (int i = 0; i < kQueries; i++) {
      _mm512_mask_storeu_ps(tile.out + (query + i) * tile.head_dim + column, mask, acc[i]);
    }
  }
}

template <int kQueries>
void accumulate_bf16(const AttentionTile& tile, int query, const float* factors,
                     const uint16_t (*p)[kTile]) {
  const auto* values = reinterpret_cast<const uint16_t*>(tile.values);
  for (int column = 0; column < tile.head_dim; column += 16) {
    const __mmask16 mask = first(tile.head_dim - column);
    __m512 acc[kQueries];
    for (int i = 0; i < kQueries; i++) {
      const float* out = tile.out + (query + i) * tile.head_dim + column;
      acc[i] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, out), _mm512_set1_ps(factors[i]));
    }
    for (int key = 0; key < kTile; key += 2) {
      const auto v = reinterpret_cast<__m512bh>(
          _mm512_maskz_loadu_epi32(mask, values + key * tile.head_dim + 2 * column));
      for (int i = 0; i < kQueries; i++) acc[i] = _mm512_dpbf16_ps(acc[i], v, pair_of(p[i] + key));
    }
    for (int i = 0; i < kQueries; i++) {
      _mm512_mask_storeu_ps(tile.out + (query + i) * tile.head_dim + column, mask, acc[i]);
    }
  }
}

template <int kQueries>
void queries(const AttentionTile& tile, int query) {
  Scores s[kQueries];
  for (auto& scores : s) scores = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  float factors[kQueries];
  __m512 low, high;
  if (tile.format == kFormatF32) {
    alignas(64) float p[kQueries][kTile];
    score_f32<kQueries>(tile, query, s);
    for (int i = 0; i < kQueries; i++) {
      factors[i] = soften(tile, query + i, s[i], &low, &high);
      _mm512_store_ps(p[i], low);
      _mm512_store_ps(p[i] + 16, high);
    }
    accumulate_f32<kQueries>(tile, query, factors, p);
  } else {
    alignas(64) uint16_t p[kQueries][kTile];
    score_bf16<kQueries>(tile, query, s);
    for (int i = 0; i < kQueries; i++) {
      factors[i] = soften(tile, query + i, s[i], &low, &high);
      _mm512_store_si512(p[i], reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
    accumulate_bf16<kQueries>(tile, query, factors, p);
  }
}

}  // namespace

// A query that reads nothing of the tile is left alone: its state keeps its bits. The caller orders
// queries so that those are rare, and runs of four others are computed together.
void attention_tile(const AttentionTile* tile) {
  int query = 0;
  while (query < tile->n_queries) {
    if (tile->key_masks[query] == 0) {
      query++;
      continue;
    }
    int n = 1;
    while (n < 4 && query + n < tile->n_queries && tile->key_masks[query + n] != 0) n++;
    if (n == 4) {
      queries<4>(*tile, query);
      query += 4;
    } else {
      for (; n > 0; n--) queries<1>(*tile, query++);
    }
  }
}

}  // namespace cachalot::cpu::avx512
