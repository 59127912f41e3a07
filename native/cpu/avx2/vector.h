// Small vector functions that several kernels of this path share.
#pragma once

#include <immintrin.h>

#include "cpu/device/exp2.h"

namespace cachalot::cpu::avx2 {

/** All bits set in the first n of 8 lanes. */
static inline __m256i first(int64_t n) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n >= 8 ? 8 : static_cast<int>(n)), lane);
}

/** The first n of 8 floats, zeros behind them. */
static inline __m256 load_first(const float* x, int64_t n) {
  return n >= 8 ? _mm256_loadu_ps(x) : _mm256_maskload_ps(x, first(n));
}

static inline void store_first(float* x, int64_t n, __m256 value) {
  if (n >= 8) _mm256_storeu_ps(x, value);
  else _mm256_maskstore_ps(x, first(n), value);
}

static inline float add_lanes(__m256 x) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

static inline float max_lane(__m256 x) {
  __m128 max = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  max = _mm_max_ps(max, _mm_movehl_ps(max, max));
  return _mm_cvtss_f32(_mm_max_ss(max, _mm_movehdup_ps(max)));
}

/** exp2_f32 of each lane. */
static inline __m256 exp2_ps(__m256 x) {
  const __m256 lowest = _mm256_set1_ps(kExp2Min);
  const __m256 clamped = _mm256_max_ps(lowest, x);  // this order keeps a NaN in x
  const __m256 n = _mm256_round_ps(clamped, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m256 f = _mm256_sub_ps(clamped, n);
  __m256 p = _mm256_set1_ps(kExp2C5);
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kExp2C4));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kExp2C3));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kExp2C2));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(kExp2C1));
  p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(1.0f));
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  const __m256 scale = _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  const __m256 nonzero = _mm256_cmp_ps(x, lowest, _CMP_NLT_UQ);
  return _mm256_and_ps(nonzero, _mm256_mul_ps(p, scale));
}

/** A register of bf16 pairs -> the first and the second of each pair, as f32. */
static inline __m256 first_of_pairs(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}
static inline __m256 second_of_pairs(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536)));
}

}  // namespace cachalot::cpu::avx2
