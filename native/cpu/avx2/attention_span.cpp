// One online-softmax step over a tile of 32 keys; avx512/attention_few.h states the formula. The
// layouts are the same: f32 K is [D][32], V is [32][D]; bf16 K is [D/2][32][2], V is [16][D][2],
// widened to f32 in registers. Two queries share every load of K and V.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/attention_tile.h"
#include "cpu/device/merge_state.h"

namespace cachalot::cpu::avx2 {

namespace {

template <int kQueries>
void score_f32(const AttentionTile& tile, int query, __m256 (*s)[4]) {
  const auto* keys = reinterpret_cast<const float*>(tile.keys);
  for (int d = 0; d < tile.head_dim; d++) {
    for (int part = 0; part < 4; part++) {
      const __m256 k = _mm256_loadu_ps(keys + d * kTileTokens + 8 * part);
      for (int i = 0; i < kQueries; i++) {
        const __m256 q = _mm256_set1_ps(tile.queries[(query + i) * tile.head_dim + d]);
        s[i][part] = _mm256_fmadd_ps(q, k, s[i][part]);
      }
    }
  }
}

template <int kQueries>
void score_bf16(const AttentionTile& tile, int query, __m256 (*s)[4]) {
  const auto* keys = reinterpret_cast<const uint16_t*>(tile.keys);
  for (int d = 0; d < tile.head_dim; d += 2) {
    for (int part = 0; part < 4; part++) {
      const __m256i pairs =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys + d * kTileTokens + 16 * part));
      for (int i = 0; i < kQueries; i++) {
        const float* q = tile.queries + (query + i) * tile.head_dim + d;
        s[i][part] = _mm256_fmadd_ps(_mm256_set1_ps(q[0]), first_of_pairs(pairs), s[i][part]);
        s[i][part] = _mm256_fmadd_ps(_mm256_set1_ps(q[1]), second_of_pairs(pairs), s[i][part]);
      }
    }
  }
}

/** All bits of lane i where bit i is set. */
inline __m256 lanes(uint32_t bits) {
  const __m256i select = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set = _mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), select);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, select));
}

/** Turns scores into probabilities and updates max and sum; returns the factor of the old state. */
inline float softmax_step(const AttentionTile& tile, int query, const __m256* s, float* p) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff()), scale = _mm256_set1_ps(tile.scale);
  __m256 a[4], largest = lowest;
  for (int part = 0; part < 4; part++) {
    const __m256 mask = lanes(key_mask(tile, query) >> 8 * part);
    __m256 scaled = _mm256_mul_ps(s[part], scale);
    if (tile.weights != NULL)
      scaled = _mm256_add_ps(scaled, _mm256_loadu_ps(tile.weights + 8 * part));
    a[part] = _mm256_blendv_ps(lowest, scaled, mask);
    largest = _mm256_max_ps(largest, a[part]);
  }
  const float old_max = tile.max[query], tile_max = max_lane(largest);
  const float new_max = tile_max > old_max ? tile_max : old_max;
  __m256 sum = _mm256_setzero_ps();
  for (int part = 0; part < 4; part++) {
    const __m256 mask = lanes(key_mask(tile, query) >> 8 * part);
    const __m256 power = exp2_ps(_mm256_sub_ps(a[part], _mm256_set1_ps(new_max)));
    const __m256 value = _mm256_and_ps(mask, power);
    _mm256_store_ps(p + 8 * part, value);
    sum = _mm256_add_ps(sum, value);
  }
  const float factor = old_max == -__builtin_inff() ? 0.0f : exp2_f32(old_max - new_max);
  tile.sum[query] = tile.sum[query] * factor + add_lanes(sum);
  tile.max[query] = new_max;
  return factor;
}

/** acc += p V for 8 columns of V in f32. */
template <int kQueries>
void accumulate_f32(const AttentionTile& tile, int column, const float (*p)[kTileTokens],
                    __m256* acc) {
  const auto* values = reinterpret_cast<const float*>(tile.values);
  for (int key = 0; key < kTileTokens; key++) {
    const __m256 v = load_first(values + key * tile.head_dim + column, tile.head_dim - column);
    for (int i = 0; i < kQueries; i++) {
      acc[i] = _mm256_fmadd_ps(_mm256_set1_ps(p[i][key]), v, acc[i]);
    }
  }
}

/** acc += p V for 8 columns of V in bf16, two keys at a time. */
template <int kQueries>
void accumulate_bf16(const AttentionTile& tile, int column, const float (*p)[kTileTokens],
                     __m256* acc) {
  const auto* values = reinterpret_cast<const uint16_t*>(tile.values);
  const __m256i mask = first(tile.head_dim - column);
  for (int key = 0; key < kTileTokens; key += 2) {
    const __m256i pairs = _mm256_maskload_epi32(
        reinterpret_cast<const int*>(values + key * tile.head_dim + 2 * column), mask);
    for (int i = 0; i < kQueries; i++) {
      acc[i] = _mm256_fmadd_ps(_mm256_set1_ps(p[i][key]), first_of_pairs(pairs), acc[i]);
      acc[i] = _mm256_fmadd_ps(_mm256_set1_ps(p[i][key + 1]), second_of_pairs(pairs), acc[i]);
    }
  }
}

template <int kQueries>
void queries(const AttentionTile& tile, int query) {
  __m256 s[kQueries][4];
  for (auto& parts : s) {
    for (auto& part : parts) part = _mm256_setzero_ps();
  }
  const bool f32 = tile.format == KvFormat::kF32;
  if (f32) score_f32<kQueries>(tile, query, s);
  else score_bf16<kQueries>(tile, query, s);
  alignas(32) float p[kQueries][kTileTokens];
  float factors[kQueries];
  for (int i = 0; i < kQueries; i++) factors[i] = softmax_step(tile, query + i, s[i], p[i]);
  for (int column = 0; column < tile.head_dim; column += 8) {
    const int left = tile.head_dim - column;
    __m256 acc[kQueries];
    for (int i = 0; i < kQueries; i++) {
      const float* out = tile.out + (query + i) * tile.head_dim + column;
      acc[i] = _mm256_mul_ps(load_first(out, left), _mm256_set1_ps(factors[i]));
    }
    if (f32) accumulate_f32<kQueries>(tile, column, p, acc);
    else accumulate_bf16<kQueries>(tile, column, p, acc);
    for (int i = 0; i < kQueries; i++) {
      store_first(tile.out + (query + i) * tile.head_dim + column, left, acc[i]);
    }
  }
}

// A query that reads nothing of the tile is left alone: its state keeps its bits.
void attend_tile(const AttentionTile& tile) {
  prefetch_next(tile);
  int query = 0;
  while (query < tile.n_queries) {
    if (key_mask(tile, query) == 0) {
      query++;
    } else if (query + 1 < tile.n_queries && key_mask(tile, query + 1) != 0) {
      queries<2>(tile, query);
      query += 2;
    } else {
      queries<1>(tile, query++);
    }
  }
}

}  // namespace

void attention_span(const AttentionSpan* span) {
  for (int i = 0; i < span->n_tiles; i++) attend_tile(tile_of(*span, i, 0));
}

void merge_states(AttentionState into, AttentionState later, int32_t n, int32_t head_dim) {
  merge_each_state(into, later, n, head_dim);
}

}  // namespace cachalot::cpu::avx2
