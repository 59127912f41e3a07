// Small vector functions that several kernels of this path share.
#pragma once

#include <immintrin.h>

#include "cpu/device/exp2.h"

namespace cachalot::cpu::avx512 {

static inline __mmask16 first(int64_t n) {
  return n >= 16 ? static_cast<__mmask16>(0xffff) : static_cast<__mmask16>((1u << n) - 1);
}

/** exp2_f32 of each lane. */
static inline __m512 exp2_ps(__m512 x) {
  const __m512 clamped = _mm512_max_ps(_mm512_set1_ps(kExp2Min), x);  // this order keeps a NaN in x
  const __m512 n = _mm512_roundscale_ps(clamped, 0);
  const __m512 f = _mm512_sub_ps(clamped, n);
  __m512 p = _mm512_set1_ps(kExp2C7);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C6));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C5));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C4));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C3));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C2));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(kExp2C1));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  const __mmask16 nonzero = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kExp2Min), _CMP_NLT_UQ);
  return _mm512_maskz_scalef_ps(nonzero, p, n);
}

}  // namespace cachalot::cpu::avx512
