// One online-softmax step over a tile of 32 keys (FlashAttention, Dao et al. 2022; state in base
// 2):
//   s = scale * q K^T;  m' = max(m, max s);  p = 2^(s - m');  a = 2^(m - m')
//   out = a out + p V;  sum = a sum + sum(p);  m = m'
// For few queries: a register holds 16 keys (or 16 columns of V), the query (or probability) is
// broadcast. bf16: K is [D/2][32][2] and V is [16][D][2], for vdpbf16ps. f32: K is [D][32], V is
// [32][D], fma. Up to four queries share every load of K and V; each has its own registers, so its
// arithmetic does not depend on its neighbours. attention_many.h has the same bits.
#pragma once

#include "cpu/avx512/vector.h"
#include "cpu/device/attention_tile.h"

namespace cachalot::cpu::avx512 {

namespace {

/** Scores of one query: 32 keys in two registers. */
struct Scores {
  __m512 low, high;
};

template <int kQueries>
void score_f32(const AttentionTile& tile, const uint8_t* next, int query, Scores* s) {
  const auto* keys = reinterpret_cast<const float*>(tile.keys);
  for (int d = 0; d < tile.head_dim; d++) {
    fetch<2, 2>(next, 4 * d * kTileTokens);
    const __m512 low = _mm512_loadu_ps(keys + d * kTileTokens),
                 high = _mm512_loadu_ps(keys + d * kTileTokens + 16);
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

/** kHigh: some query reads keys of the upper half. */
template <int kQueries, bool kHigh>
void score_bf16(const AttentionTile& tile, const uint8_t* next, int query, Scores* s) {
  const auto* keys = reinterpret_cast<const uint16_t*>(tile.keys);
  for (int d = 0; d < tile.head_dim; d += 2) {
    fetch<2, 2>(next, 2 * d * kTileTokens);
    const __m512bh low = load_pairs(keys + d * kTileTokens);
    const __m512bh high = kHigh ? load_pairs(keys + d * kTileTokens + 32) : low;
#pragma GCC unroll 4
    for (int i = 0; i < kQueries; i++) {
      const __m512bh q = pair_of(tile.queries_bf16 + (query + i) * tile.head_dim + d);
      s[i].low = _mm512_dpbf16_ps(s[i].low, low, q);
      if (kHigh) s[i].high = _mm512_dpbf16_ps(s[i].high, high, q);
    }
  }
}

/** How many of the tile's keys any of the queries may read; the rest adds nothing. */
inline int keys_read(const AttentionTile& tile, int query, int n_queries) {
  int last = 0;
  for (int i = query; i < query + n_queries; i++)
    last = tile.end_keys[i] > last ? tile.end_keys[i] : last;
  return last - tile.first_key < kTileTokens ? last - tile.first_key : kTileTokens;
}

/** Turns scores into probabilities and updates max and sum; returns the factor of the old state. */
inline float softmax_step(const AttentionTile& tile, int query, const Scores& s, __m512* low,
                          __m512* high) {
  const uint32_t mask = key_mask(tile, query);
  const auto mask_low = static_cast<__mmask16>(mask),
             mask_high = static_cast<__mmask16>(mask >> 16);
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff()), scale = _mm512_set1_ps(tile.scale);
  __m512 a = _mm512_mask_mul_ps(lowest, mask_low, s.low, scale);
  __m512 b = _mm512_mask_mul_ps(lowest, mask_high, s.high, scale);
  if (tile.weights != NULL) {
    a = _mm512_mask_add_ps(lowest, mask_low, a, _mm512_loadu_ps(tile.weights));
    b = _mm512_mask_add_ps(lowest, mask_high, b, _mm512_loadu_ps(tile.weights + 16));
  }
  const float old_max = tile.max[query];
  const float tile_max = _mm512_reduce_max_ps(_mm512_max_ps(a, b));
  const float new_max = tile_max > old_max ? tile_max : old_max;
  const __m512 shift = _mm512_set1_ps(new_max);
  *low = _mm512_maskz_mov_ps(mask_low, exp2_ps(_mm512_sub_ps(a, shift)));
  *high = _mm512_maskz_mov_ps(mask_high, exp2_ps(_mm512_sub_ps(b, shift)));
  const __m512 change = exp2_ps(_mm512_set1_ps(old_max - new_max));
  const float factor = old_max == -__builtin_inff() ? 0.0f : _mm512_cvtss_f32(change);
  tile.sum[query] = tile.sum[query] * factor + sum_lanes(_mm512_add_ps(*low, *high));
  tile.max[query] = new_max;
  return factor;
}

/** out = factor * out + p V for kQueries queries, 64 columns at a time. */
template <int kQueries>
void accumulate_f32(const AttentionTile& tile, const uint8_t* next, int query, const float* factors,
                    const float (*p)[kTileTokens]) {
  const auto* values = reinterpret_cast<const float*>(tile.values);
  for (int column = 0; column < tile.head_dim; column += 16) {
    const __mmask16 mask = first(tile.head_dim - column);
    __m512 acc[kQueries];
    for (int i = 0; i < kQueries; i++) {
      const float* out = tile.out + (query + i) * tile.head_dim + column;
      acc[i] = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, out), _mm512_set1_ps(factors[i]));
    }
    for (int key = 0; key < kTileTokens; key++) {
      fetch<2, 1>(next, 4 * (key * tile.head_dim + column));
      const __m512 v = _mm512_maskz_loadu_ps(mask, values + key * tile.head_dim + column);
      for (int i = 0; i < kQueries; i++)
        acc[i] = _mm512_fmadd_ps(_mm512_set1_ps(p[i][key]), v, acc[i]);
    }
    for (int i = 0; i < kQueries; i++) {
      _mm512_mask_storeu_ps(tile.out + (query + i) * tile.head_dim + column, mask, acc[i]);
    }
  }
}

/** 16 * kParts columns from `column` on; those in `mask` if kParts is 1. */
template <int kQueries, int kParts>
void accumulate_bf16(const AttentionTile& tile, const uint8_t* next, int query, int column,
                     __mmask16 mask, const float* factors, const uint16_t (*p)[kTileTokens],
                     int n_keys) {
  const auto* values = reinterpret_cast<const uint16_t*>(tile.values) + 2 * column;
  float* out = tile.out + query * tile.head_dim + column;
  const auto load = [&](const void* at) {
    return kParts > 1 ? _mm512_loadu_ps(at) : _mm512_maskz_loadu_ps(mask, at);
  };
  __m512 acc[kQueries][kParts];
#pragma GCC unroll 4
  for (int i = 0; i < kQueries; i++)
#pragma GCC unroll 4
    for (int part = 0; part < kParts; part++)
      acc[i][part] =
          _mm512_mul_ps(load(out + i * tile.head_dim + 16 * part), _mm512_set1_ps(factors[i]));
  for (int key = 0; key < n_keys; key += 2) {
    fetch<2, kParts>(next, 2 * (key * tile.head_dim + 2 * column));
    __m512bh v[kParts];
#pragma GCC unroll 4
    for (int part = 0; part < kParts; part++)
      v[part] = reinterpret_cast<__m512bh>(load(values + key * tile.head_dim + 32 * part));
#pragma GCC unroll 4
    for (int i = 0; i < kQueries; i++)
#pragma GCC unroll 4
      for (int part = 0; part < kParts; part++)
        acc[i][part] = _mm512_dpbf16_ps(acc[i][part], v[part], pair_of(p[i] + key));
  }
#pragma GCC unroll 4
  for (int i = 0; i < kQueries; i++)
#pragma GCC unroll 4
    for (int part = 0; part < kParts; part++) {
      float* at = out + i * tile.head_dim + 16 * part;
      if (kParts > 1) _mm512_storeu_ps(at, acc[i][part]);
      else _mm512_mask_storeu_ps(at, mask, acc[i][part]);
    }
}

/** out = factor * out + p V. */
template <int kQueries>
void accumulate_bf16(const AttentionTile& tile, const uint8_t* next, int query,
                     const float* factors, const uint16_t (*p)[kTileTokens], int n_keys) {
  int column = 0;
  for (; column + 64 <= tile.head_dim; column += 64)
    accumulate_bf16<kQueries, 4>(tile, next, query, column, 0xffff, factors, p, n_keys);
  for (; column < tile.head_dim; column += 16)
    accumulate_bf16<kQueries, 1>(tile, next, query, column, first(tile.head_dim - column), factors,
                                 p, n_keys);
}

template <int kQueries>
void queries(const AttentionTile& tile, const uint8_t* next, int query) {
  Scores s[kQueries];
  for (auto& scores : s) scores = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  const uint8_t* next_values = next == NULL ? NULL : next + (tile.values - tile.keys);
  float factors[kQueries];
  __m512 low, high;
  if (tile.format == KvFormat::kF32) {
    alignas(64) float p[kQueries][kTileTokens];
    score_f32<kQueries>(tile, next, query, s);
    for (int i = 0; i < kQueries; i++) {
      factors[i] = softmax_step(tile, query + i, s[i], &low, &high);
      _mm512_store_ps(p[i], low);
      _mm512_store_ps(p[i] + 16, high);
    }
    accumulate_f32<kQueries>(tile, next_values, query, factors, p);
  } else {
    alignas(64) uint16_t p[kQueries][kTileTokens];
    const int n_keys = keys_read(tile, query, kQueries);
    if (n_keys > kTileTokens / 2) score_bf16<kQueries, true>(tile, next, query, s);
    else score_bf16<kQueries, false>(tile, next, query, s);
    for (int i = 0; i < kQueries; i++) {
      factors[i] = softmax_step(tile, query + i, s[i], &low, &high);
      _mm512_store_si512(p[i], reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
    accumulate_bf16<kQueries>(tile, next_values, query, factors, p, n_keys);
  }
}

// A query that reads nothing of the tile is left alone: its state keeps its bits. The first queries
// fetch the next block.
void few_queries(const AttentionTile& tile) {
  const uint8_t* next = tile.next;
  int query = 0;
  while (query < tile.n_queries) {
    int n = 0;
    while (n < 4 && query + n < tile.n_queries && key_mask(tile, query + n) != 0) n++;
    switch (n) {
      case 4: queries<4>(tile, next, query); break;
      case 3: queries<3>(tile, next, query); break;
      case 2: queries<2>(tile, next, query); break;
      case 1: queries<1>(tile, next, query); break;
      default: query++; continue;
    }
    query += n;
    next = NULL;
  }
}

}  // namespace

}  // namespace cachalot::cpu::avx512
