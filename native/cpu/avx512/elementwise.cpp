// The ops that touch each value once or twice: norm, gated activation, quantization of rows, and
// the two reductions of sampling. Sums run over 16 lanes in order, then one fixed reduction; tails
// are masks.

#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"
#include "cpu/device/rope.h"

namespace cachalot::cpu::avx512 {

namespace {

/** Eight pairs (a, b) at a time: a cos - b sin, b cos + a sin. */
void rotate_pairs(const Rotation& rotation, const float* x, float* out) {
  alignas(64) static constexpr int32_t kTwice[16] = {0, 0, 1, 1, 2, 2, 3, 3,
                                                     4, 4, 5, 5, 6, 6, 7, 7};
  const __m512i twice = _mm512_load_si512(kTwice);
  for (int i = 0; i < rotation.half; i += 8) {
    const int left = rotation.half - i;
    const auto angles = left >= 8 ? __mmask8{0xff} : static_cast<__mmask8>((1u << left) - 1);
    const auto load = [&](const float* values) {
      const __m256 eight = _mm256_maskz_loadu_ps(angles, values + i);
      return _mm512_permutexvar_ps(twice, _mm512_castps256_ps512(eight));
    };
    const __mmask16 mask = first(2 * left);
    const __m512 both = _mm512_maskz_loadu_ps(mask, x + 2 * i);
    const __m512 cosines = _mm512_mul_ps(both, load(rotation.cosines));
    const __m512 sines = _mm512_mul_ps(_mm512_permute_ps(both, 0xb1), load(rotation.sines));
    const __m512 sum = _mm512_add_ps(cosines, sines);
    _mm512_mask_storeu_ps(out + 2 * i, mask, _mm512_mask_sub_ps(sum, 0x5555, cosines, sines));
  }
  for (int i = 2 * rotation.half; i < rotation.head_dim; i++) out[i] = x[i];
}

}  // namespace

void rotate(const Rotation* rotation, const float* x, float* out) {
  if (rotation->interleaved) rotate_pairs(*rotation, x, out);
  else rotate_plain(*rotation, x, out);
}

void rms_norm(float* x, const float* delta, const float* weight, float epsilon, int32_t width,
              float* out) {
  __m512 squares = _mm512_setzero_ps();
  for (int32_t i = 0; i < width; i += 16) {
    const __mmask16 mask = first(width - i);
    __m512 value = _mm512_maskz_loadu_ps(mask, x + i);
    if (delta != nullptr) {
      value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, delta + i));
      _mm512_mask_storeu_ps(x + i, mask, value);
    }
    squares = _mm512_fmadd_ps(value, value, squares);
  }
  const float mean = _mm512_reduce_add_ps(squares) / static_cast<float>(width);
  const __m512 scale = _mm512_set1_ps(1.0f / __builtin_sqrtf(mean + epsilon));
  for (int32_t i = 0; i < width; i += 16) {
    const __mmask16 mask = first(width - i);
    const __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
    _mm512_mask_storeu_ps(out + i, mask,
                          _mm512_mul_ps(value, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

uint8_t is_finite(const float* x, const float* delta, int32_t width) {
  __m512 zeros = _mm512_setzero_ps();
  for (int32_t i = 0; i < width; i += 16) {
    const __mmask16 mask = first(width - i);
    const __m512 value =
        _mm512_add_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, delta + i));
    zeros = _mm512_fmadd_ps(value, _mm512_setzero_ps(), zeros);  // NaN or infinity times 0 is NaN
  }
  return _mm512_cmp_ps_mask(zeros, zeros, _CMP_UNORD_Q) == 0;
}

void silu_mul(const float* gate, const float* up, int64_t n, float* out) {
  const __m512 one = _mm512_set1_ps(1.0f);
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = first(n - i);
    const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
    // Beyond 2^126 the quotient is zero anyway; the clamp keeps the exponential finite.
    const __m512 power =
        _mm512_min_ps(_mm512_mul_ps(g, _mm512_set1_ps(-kLog2E)), _mm512_set1_ps(126.0f));
    const __m512 silu = _mm512_div_ps(g, _mm512_add_ps(one, exp2_ps(power)));
    _mm512_mask_storeu_ps(out + i, mask, _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

/** To the nearest integers; a NaN (also of infinity times 0) becomes 0; the scale stays NaN or
 * infinite. */
static inline __m512i round_ordered(__m512 x) {
  return _mm512_maskz_cvtps_epi32(_mm512_cmp_ps_mask(x, x, _CMP_ORD_Q), x);
}

namespace {

/** One block of 32 values of any kind. */
void quantize_block(const float* x, int8_t* codes, float* scale, int32_t* sums16, int32_t* sum32) {
  const __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
  // vmaxps may lose a NaN; a NaN scale keeps it, and the request that made it fails alone.
  const bool nan = (_mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q)) != 0;
  const __m512 inverse = _mm512_set1_ps(largest > kLeastLargest ? 127.0f / largest : 0.0f);
  const __m512i qa = round_ordered(_mm512_mul_ps(a, inverse));
  const __m512i qb = round_ordered(_mm512_mul_ps(b, inverse));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtsepi32_epi8(qa));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 16), _mm512_cvtsepi32_epi8(qb));
  *scale = nan ? __builtin_nanf("") : largest / 127.0f;
  sums16[0] = _mm512_reduce_add_epi32(qa);
  sums16[1] = _mm512_reduce_add_epi32(qb);
  *sum32 = sums16[0] + sums16[1];
}

/** Sums of each 16 of 128 codes. */
__m256i sums_of_16(__m512i first, __m512i second) {
  const __m512i ones = _mm512_set1_epi8(1), zero = _mm512_setzero_si512();
  const auto lanes = [](__m512i fours) {  // of 128 bits
    const __m512i twos = _mm512_add_epi32(fours, _mm512_shuffle_epi32(fours, _MM_PERM_BADC));
    return _mm512_add_epi32(twos, _mm512_shuffle_epi32(twos, _MM_PERM_CDAB));
  };
  const __m512i a = lanes(_mm512_dpbusd_epi32(zero, ones, first));
  const __m512i b = lanes(_mm512_dpbusd_epi32(zero, ones, second));
  const __m512i every = _mm512_castsi256_si512(_mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
  return _mm512_castsi512_si256(_mm512_permutex2var_epi32(a, every, b));
}

/** Four blocks without a NaN; the same as one by one. False: there is one. */
bool quantize_four(const float* x, int8_t* codes, float* scales, int32_t* sums16, int32_t* sums32) {
  __m512 values[8], largest[4];
  __mmask16 nan = 0;
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    values[2 * i] = _mm512_loadu_ps(x + 32 * i);
    values[2 * i + 1] = _mm512_loadu_ps(x + 32 * i + 16);
    nan |= _mm512_cmp_ps_mask(values[2 * i], values[2 * i + 1], _CMP_UNORD_Q);
    largest[i] = _mm512_max_ps(_mm512_abs_ps(values[2 * i]), _mm512_abs_ps(values[2 * i + 1]));
  }
  if (nan != 0) return false;
  const __m128 largest_of = max_lanes(largest[0], largest[1], largest[2], largest[3]),
               most = _mm_set1_ps(127.0f);
  const __m128 inverses = _mm_maskz_div_ps(
      _mm_cmp_ps_mask(largest_of, _mm_set1_ps(kLeastLargest), _CMP_GT_OQ), most, largest_of);
  _mm_storeu_ps(scales, _mm_div_ps(largest_of, most));
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m512i lane = _mm512_set1_epi32(i);
    const __m512 inverse = _mm512_permutexvar_ps(lane, _mm512_castps128_ps512(inverses));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 32 * i),
                     _mm512_cvtsepi32_epi8(round_ordered(_mm512_mul_ps(values[2 * i], inverse))));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(codes + 32 * i + 16),
        _mm512_cvtsepi32_epi8(round_ordered(_mm512_mul_ps(values[2 * i + 1], inverse))));
  }
  const __m256i sums = sums_of_16(_mm512_loadu_si512(codes), _mm512_loadu_si512(codes + 64));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums16), sums);
  const __m256i pairs = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
  const __m256i evens =
      _mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(sums32), _mm256_castsi256_si128(evens));
  return true;
}

}  // namespace

void quantize_row(const float* x, int64_t n, int8_t* codes, float* scales, int32_t* sums16,
                  int32_t* sums32) {
  int64_t block = 0;
  while (block < n / 32) {
    if (block + 4 <= n / 32 && quantize_four(x + 32 * block, codes + 32 * block, scales + block,
                                             sums16 + 2 * block, sums32 + block)) {
      block += 4;
    } else {
      quantize_block(x + 32 * block, codes + 32 * block, scales + block, sums16 + 2 * block,
                     sums32 + block);
      block++;
    }
  }
}

void max_value(const float* x, int64_t n, float* max, int32_t* has_nan) {
  __m512 largest = _mm512_set1_ps(-__builtin_inff());
  __mmask16 nan = 0;
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = first(n - i);
    const __m512 value = _mm512_mask_loadu_ps(largest, mask, x + i);
    nan |= _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    largest = _mm512_max_ps(value, largest);
  }
  *max = _mm512_reduce_max_ps(largest);
  *has_nan = nan != 0;
}

double sum_exp2(const float* x, int64_t n, float max, float scale) {
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = first(n - i);
    const __m512 value = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_set1_ps(max));
    sum = _mm512_mask_add_ps(sum, mask, sum, exp2_ps(_mm512_mul_ps(value, _mm512_set1_ps(scale))));
  }
  return _mm512_reduce_add_ps(sum);
}

}  // namespace cachalot::cpu::avx512
