// Online softmax over tiles of 32 bf16 keys, for many queries: a register holds 16 queries, keys
// and values are broadcast. So both products run as matrix products that load little, and maximum
// and sum go along registers, not inside them. The state is transposed once per span. Every query's
// bits are those of attention_few.h: the same products in the same order, and the same tree for its
// sum.
#pragma once

#include "cpu/avx512/vector.h"
#include "cpu/device/attention_tile.h"

namespace cachalot::cpu::avx512 {

namespace {

constexpr int kMaxHeadDim = 256;

/** out[j][i] = in[i][j] of 16 x 16 values of 4 bytes; only `rows` rows and `columns` columns of
 * `in` are read, and `columns` rows of `out` written. */
inline void transpose_16(const float* in, int64_t in_stride, int rows, int columns, float* out,
                         int64_t out_stride) {
  __m512 a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    a[i] =
        i < rows ? _mm512_maskz_loadu_ps(first(columns), in + i * in_stride) : _mm512_setzero_ps();
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  const auto pd = [](__m512 x) { return _mm512_castps_pd(x); };
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(pd(b[i]), pd(b[i + 2])));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(pd(b[i]), pd(b[i + 2])));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(pd(b[i + 1]), pd(b[i + 3])));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(pd(b[i + 1]), pd(b[i + 3])));
  }
  // a[4 g + c] holds, in its quarter q, column 4 q + c of rows 4 g to 4 g + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
    const __m512 low01 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x44),
                 high01 = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xee),
                 low23 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x44),
                 high23 = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xee);
    b[c] = _mm512_shuffle_f32x4(low01, low23, 0x88);
    b[4 + c] = _mm512_shuffle_f32x4(low01, low23, 0xdd);
    b[8 + c] = _mm512_shuffle_f32x4(high01, high23, 0x88);
    b[12 + c] = _mm512_shuffle_f32x4(high01, high23, 0xdd);
  }
#pragma GCC unroll 16
  for (int j = 0; j < 16; j++) {
    if (j < columns) _mm512_storeu_ps(out + j * out_stride, b[j]);
  }
}

/** Its parts are functions of their own: inlined into one, they would take each other's registers.
 * 16 * kVectors queries of a span, the last of them perhaps absent. */
template <int kVectors>
class ManyQueries {
 public:
  static constexpr int kLanes = 16 * kVectors;

  ManyQueries(const AttentionSpan& span, int query, int n)
      : span_(span), query_(query), n_(n), head_dim_(span.head_dim) {}

  void run() {
    load();
    for (int i = 0; i < span_.n_tiles; i++) {
      const int key = span_.first_key + i * kTileTokens;
      if (key >= last_end_ || key + kTileTokens <= least_first_) continue;
      next_ = i + 1 < span_.n_tiles ? span_.tiles[i + 1] : span_.next;
      next_end_ = next_ == nullptr ? nullptr : next_ + 2 * span_.value_offset;
      const auto* keys = reinterpret_cast<const uint16_t*>(span_.tiles[i]);
      const float* weights = weights_of(span_, i);
      present_ = present_keys(weights);
      if (present_ == 0) continue;
      __m512 largest[kVectors];
      score(keys, largest);
      if (weights != nullptr) add_weights(weights, largest);
      __m512 factors[kVectors];
      __mmask16 active[kVectors];
      if (key >= last_first_ && key + kTileTokens <= least_end_ && present_ == ~uint32_t{0})
        softmax_step<false>(key, largest, factors, active);
      else softmax_step<true>(key, largest, factors, active);
      accumulate(i, factors, active);
    }
    store();
  }

 private:
  /** sums[n][lanes] += over k of a[k][lanes] * b[k][n], for pairs of bf16. */
  template <int kColumns>
  [[gnu::always_inline]] static inline void multiply(const uint32_t* a, int n_k, const uint16_t* b,
                                                     int b_stride,
                                                     __m512 (&sums)[kColumns][kVectors]) {
    for (int k = 0; k < n_k; k++) {
      __m512bh rows[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; v++)
        rows[v] = reinterpret_cast<__m512bh>(_mm512_load_si512(a + k * kLanes + 16 * v));
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; j++) {
        int32_t pair;
        __builtin_memcpy(&pair, b + k * b_stride + 2 * j, 4);
        const auto both = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; v++) sums[j][v] = _mm512_dpbf16_ps(sums[j][v], rows[v], both);
      }
    }
  }

  /** scores = scale * K Q^T, and the largest of each query. */
  [[gnu::noinline]] void score(const uint16_t* keys, __m512* largest) {
    const __m512 scale = _mm512_set1_ps(span_.scale);
    __m512 most[kVectors];
    for (int v = 0; v < kVectors; v++) most[v] = _mm512_set1_ps(-__builtin_inff());
    for (int key = 0; key < kTileTokens; key += 8) {
      prefetch();
      __m512 sums[8][kVectors];
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; v++) sums[j][v] = _mm512_setzero_ps();
      multiply<8>(queries_, head_dim_ / 2, keys + 2 * key, 2 * kTileTokens, sums);
#pragma GCC unroll 8
      for (int j = 0; j < 8; j++)
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; v++) {
          sums[j][v] = _mm512_mul_ps(sums[j][v], scale);
          most[v] = _mm512_max_ps(most[v], sums[j][v]);
          _mm512_store_ps(scores_ + (key + j) * kLanes + 16 * v, sums[j][v]);
        }
    }
    for (int v = 0; v < kVectors; v++) largest[v] = most[v];
  }

  /** Adds the log-weights of the tile's keys to the scores. */
  [[gnu::noinline]] void add_weights(const float* weights, __m512* largest) {
    for (int v = 0; v < kVectors; v++) {
      __m512 most = _mm512_set1_ps(-__builtin_inff());
      for (int t = 0; t < kTileTokens; t++) {
        float* at = scores_ + t * kLanes + 16 * v;
        const __m512 s = _mm512_add_ps(_mm512_load_ps(at), _mm512_set1_ps(weights[t]));
        _mm512_store_ps(at, s);
        most = _mm512_max_ps(most, s);
      }
      largest[v] = most;
    }
  }

  /** Prefetches a part of the next block, so that all of it is there by the end of this one. It
   * lies where the hardware does not look. */
  void prefetch() {
    constexpr int kLines = 12;
    for (int i = 0; i < kLines && next_ < next_end_; i++, next_ += 64)
      _mm_prefetch(next_, _MM_HINT_T0);
  }

  /** kColumns columns of out = factor * out + p V. */
  template <int kColumns>
  [[gnu::noinline]] void accumulate_columns(const uint16_t* values, int column,
                                            const __m512* factors, const __mmask16* active) {
    float* out = out_ + column * kLanes;
    __m512 sums[kColumns][kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; j++)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; v++)
        sums[j][v] = _mm512_mul_ps(_mm512_load_ps(out + j * kLanes + 16 * v), factors[v]);
    multiply<kColumns>(pairs_, kTileTokens / 2, values + 2 * column, 2 * head_dim_, sums);
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; j++)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; v++)
        _mm512_mask_store_ps(out + j * kLanes + 16 * v, active[v], sums[j][v]);
  }

  /** -inf for the keys that a query does not read. `largest` becomes that of those it reads.
   * Returns the queries that read any. */
  template <class MaskOf>
  [[gnu::always_inline]] static inline __mmask16 mask_scores(float* scores, const MaskOf& mask_of,
                                                             __m512* largest) {
    const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
    __m512 most = lowest;
    unsigned active = 0;
    for (int t = 0; t < kTileTokens; t++) {
      const __mmask16 mask = mask_of(t);
      const __m512 s = _mm512_mask_mov_ps(lowest, mask, _mm512_load_ps(scores + t * kLanes));
      _mm512_store_ps(scores + t * kLanes, s);
      most = _mm512_max_ps(most, s);
      active |= mask;
    }
    *largest = most;
    return static_cast<__mmask16>(active);
  }

  /** Scores -> probabilities in bf16 pairs; new maxima and sums. */
  template <bool kMasked>
  [[gnu::noinline]] void softmax_step(int key, const __m512* largest, __m512* factors,
                                      __mmask16* active) {
    const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
    for (int v = 0; v < kVectors; v++) {
      const __m512i from = _mm512_sub_epi32(_mm512_load_si512(first_keys_ + 16 * v),
                                            _mm512_set1_epi32(key)),
                    to = _mm512_sub_epi32(_mm512_load_si512(end_keys_ + 16 * v),
                                          _mm512_set1_epi32(key));
      const auto mask_of = [&](int t) {
        const __m512i at = _mm512_set1_epi32(t);
        const auto present = static_cast<__mmask16>(-static_cast<int>(present_ >> t & 1));
        return _mm512_mask_cmpgt_epi32_mask(_mm512_mask_cmple_epi32_mask(present, from, at), to,
                                            at);
      };
      float* scores = scores_ + 16 * v;
      __m512 tile_max = largest[v];
      active[v] = kMasked ? mask_scores(scores, mask_of, &tile_max) : 0xffff;
      const __m512 old_max = _mm512_load_ps(max_ + 16 * v);
      const __m512 new_max =
          _mm512_mask_mov_ps(old_max, _mm512_cmp_ps_mask(tile_max, old_max, _CMP_GT_OQ), tile_max);
      // As in attention_few.h, key t and key t + 16 first; then halves, and halves of those.
      __m512 sums[8];
#pragma GCC unroll 4
      for (int t = 0; t < 8; t += 2) {
        __m512 p[2][4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
#pragma GCC unroll 2
          for (int odd = 0; odd < 2; odd++) {
            const int at = t + odd + 8 * i;
            p[odd][i] = exp2_ps(_mm512_sub_ps(_mm512_load_ps(scores + at * kLanes), new_max));
            if (kMasked) p[odd][i] = _mm512_maskz_mov_ps(mask_of(at), p[odd][i]);
          }
          store_pair((t + 8 * i) / 2, v, p[0][i], p[1][i]);
        }
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; odd++)
          sums[t + odd] = _mm512_add_ps(_mm512_add_ps(p[odd][0], p[odd][2]),
                                        _mm512_add_ps(p[odd][1], p[odd][3]));
      }
#pragma GCC unroll 3
      for (int half = 4; half > 0; half /= 2)
#pragma GCC unroll 4
        for (int t = 0; t < half; t++) sums[t] = _mm512_add_ps(sums[t], sums[t + half]);
      const __mmask16 fresh = _mm512_cmp_ps_mask(old_max, lowest, _CMP_EQ_OQ);
      factors[v] = _mm512_maskz_mov_ps(static_cast<__mmask16>(~fresh),
                                       exp2_ps(_mm512_sub_ps(old_max, new_max)));
      const __m512 old_sum = _mm512_load_ps(sum_ + 16 * v);
      const __m512 new_sum = _mm512_add_ps(_mm512_mul_ps(old_sum, factors[v]), sums[0]);
      _mm512_mask_store_ps(max_ + 16 * v, active[v], new_max);
      _mm512_mask_store_ps(sum_ + 16 * v, active[v], new_sum);
    }
  }

  /** Probabilities of keys 2 pair and 2 pair + 1, rounded to bf16, beside each other. */
  void store_pair(int pair, int v, __m512 even, __m512 odd) {
    alignas(64) static constexpr uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                        21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
    _mm512_store_si512(pairs_ + pair * kLanes + 16 * v,
                       _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), halves));
  }

  /** out = factor * out + p V. A query that reads nothing of the tile keeps its bits. */
  void accumulate(int tile, const __m512* factors, const __mmask16* active) {
    const auto* values = reinterpret_cast<const uint16_t*>(span_.tiles[tile] + span_.value_offset);
    int column = 0;
    for (; column + 8 <= head_dim_; column += 8) {
      prefetch();
      accumulate_columns<8>(values, column, factors, active);
    }
    for (; column < head_dim_; column += 2) accumulate_columns<2>(values, column, factors, active);
  }

  void load() {
    const int64_t vector = int64_t{query_} * head_dim_;
    const auto* queries = reinterpret_cast<const float*>(span_.queries_bf16 + vector);
    transpose_all(queries, head_dim_ / 2, reinterpret_cast<float*>(queries_));
    load_state(span_.state.out + vector);
    least_first_ = last_first_ = span_.first_keys[query_];
    least_end_ = last_end_ = span_.end_keys[query_];
    for (int i = 0; i < kLanes; i++) {
      const int query = query_ + (i < n_ ? i : 0);  // an absent query reads as the first one
      max_[i] = i < n_ ? span_.state.max[query] : -__builtin_inff();
      sum_[i] = i < n_ ? span_.state.sum[query] : 0;
      first_keys_[i] = span_.first_keys[query];
      end_keys_[i] = span_.end_keys[query];
      if (first_keys_[i] < least_first_) least_first_ = first_keys_[i];
      if (first_keys_[i] > last_first_) last_first_ = first_keys_[i];
      if (end_keys_[i] < least_end_) least_end_ = end_keys_[i];
      if (end_keys_[i] > last_end_) last_end_ = end_keys_[i];
    }
  }

  /** Most spans begin with nothing. */
  void load_state(const float* out) {
    bool fresh = true;
    for (int i = 0; i < n_; i++)
      fresh = fresh && span_.state.sum[query_ + i] == 0 &&
              span_.state.max[query_ + i] == -__builtin_inff();
    if (!fresh) return transpose_all(out, head_dim_, out_);
    for (int i = 0; i < head_dim_ * kLanes; i += 16) _mm512_store_ps(out_ + i, _mm512_setzero_ps());
  }

  /** [n_, width] -> [width, kLanes]. */
  void transpose_all(const float* in, int width, float* out) const {
    for (int v = 0; v < kVectors; v++) {
      for (int column = 0; column < width; column += 16) {
        const int rows = n_ - 16 * v < 16 ? n_ - 16 * v : 16;
        const int left = width - column < 16 ? width - column : 16;
        transpose_16(in + 16 * v * width + column, width, rows, left,
                     out + column * kLanes + 16 * v, kLanes);
      }
    }
  }

  void store() const {
    const int64_t vector = int64_t{query_} * head_dim_;
    alignas(64) float block[16 * 16];
    for (int v = 0; v < kVectors; v++) {
      for (int column = 0; column < head_dim_; column += 16) {
        const int left = head_dim_ - column < 16 ? head_dim_ - column : 16;
        transpose_16(out_ + column * kLanes + 16 * v, kLanes, left, 16, block, 16);
        for (int i = 0; i < 16 && 16 * v + i < n_; i++) {
          _mm512_mask_storeu_ps(span_.state.out + vector + (16 * v + i) * head_dim_ + column,
                                first(left), _mm512_load_ps(block + 16 * i));
        }
      }
    }
    for (int i = 0; i < n_; i++) {
      span_.state.max[query_ + i] = max_[i];
      span_.state.sum[query_ + i] = sum_[i];
    }
  }

  const AttentionSpan& span_;
  const uint8_t *next_ = nullptr, *next_end_ = nullptr;  // the rest of the next block to fetch
  int query_, n_, head_dim_;
  uint32_t present_ = ~uint32_t{0};  // bit t: key t of the tile is not absent
  int32_t least_first_, last_first_, least_end_, last_end_;
  alignas(64) int32_t first_keys_[kLanes], end_keys_[kLanes];
  alignas(64) float max_[kLanes], sum_[kLanes];
  alignas(64) uint32_t queries_[kMaxHeadDim / 2 * kLanes];  // pairs of bf16
  alignas(64) float scores_[kTileTokens * kLanes];
  alignas(64) uint32_t pairs_[kTileTokens / 2 * kLanes];  // probabilities, pairs of bf16
  alignas(64) float out_[kMaxHeadDim * kLanes];
};

}  // namespace

}  // namespace cachalot::cpu::avx512
