// Small vector functions that several kernels of this path share.
#pragma once

#include <immintrin.h>

#include "cpu/device/exp2.h"

namespace cachalot::cpu::avx512 {

static inline __mmask16 first(int64_t n) {
  return n >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << n) - 1);
}

/** The sum of all lanes: halves, then halves of those. */
static inline float sum_lanes(__m512 x) {
  const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_shuffle_ps(c, c, 1)));
}

/** All lanes of each of four registers folded into one: halves, then halves of those, side by side.
 */
template <class Fold>
static inline __m128 fold_lanes(__m512 a, __m512 b, __m512 c, __m512 d, Fold fold) {
  const __m512 ab = fold(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  const __m512 cd = fold(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
  const __m512 fours = fold(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
  const __m512 twos = fold(fours, _mm512_permute_ps(fours, 0x4e));
  const __m512 ones = fold(twos, _mm512_permute_ps(twos, 0xb1));
  const __m512i firsts = _mm512_castsi128_si512(_mm_setr_epi32(0, 4, 8, 12));
  return _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, ones));
}

/** sum_lanes of four registers, in the same order. */
static inline __m128 sum_lanes(__m512 a, __m512 b, __m512 c, __m512 d) {
  return fold_lanes(a, b, c, d, [](__m512 x, __m512 y) { return _mm512_add_ps(x, y); });
}

static inline __m128 max_lanes(__m512 a, __m512 b, __m512 c, __m512 d) {
  return fold_lanes(a, b, c, d, [](__m512 x, __m512 y) { return _mm512_max_ps(x, y); });
}

/** 2^x of each lane; relative error below 2e-7. */
static inline __m512 exp2_ps(__m512 x) {
  const __m512 clamped = _mm512_max_ps(_mm512_set1_ps(kExp2Min), x);  // this order keeps a NaN in x
  const __m512 n = _mm512_roundscale_ps(clamped, 0);
  const __m512 f = _mm512_sub_ps(clamped, n);
  __m512 p = _mm512_set1_ps(kExp2C5);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C4));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C3));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C2));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C1));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  const __mmask16 nonzero = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kExp2Min), _CMP_NLT_UQ);
  return _mm512_maskz_scalef_ps(nonzero, p, n);
}

}  // namespace cachalot::cpu::avx512
