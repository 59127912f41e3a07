// The ops that touch each value once or twice: norm, gated activation, quantization of rows, and
// the two reductions of sampling. Sums run over 8 lanes in order, then one fixed reduction; tails
// are masks.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/rope.h"

namespace cachalot::cpu::avx2 {

void rotate(const Rotation* rotation, const float* x, float* out) {
  rotate_plain(*rotation, x, out);
}

void rms_norm(float* x, const float* delta, const float* weight, float epsilon, int32_t width,
              float* out) {
  __m256 squares = _mm256_setzero_ps();
  for (int32_t i = 0; i < width; i += 8) {
    __m256 value = load_first(x + i, width - i);
    if (delta != nullptr) {
      value = _mm256_add_ps(value, load_first(delta + i, width - i));
      store_first(x + i, width - i, value);
    }
    squares = _mm256_fmadd_ps(value, value, squares);
  }
  const float mean = add_lanes(squares) / static_cast<float>(width);
  const __m256 scale = _mm256_set1_ps(1.0f / __builtin_sqrtf(mean + epsilon));
  for (int32_t i = 0; i < width; i += 8) {
    const __m256 value = _mm256_mul_ps(load_first(x + i, width - i), scale);
    store_first(out + i, width - i, _mm256_mul_ps(value, load_first(weight + i, width - i)));
  }
}

uint8_t is_finite(const float* x, const float* delta, int32_t width) {
  __m256 zeros = _mm256_setzero_ps();
  for (int32_t i = 0; i < width; i += 8) {
    const __m256 value =
        _mm256_add_ps(load_first(x + i, width - i), load_first(delta + i, width - i));
    zeros = _mm256_fmadd_ps(value, _mm256_setzero_ps(), zeros);  // NaN or infinity times 0 is NaN
  }
  return _mm256_movemask_ps(_mm256_cmp_ps(zeros, zeros, _CMP_UNORD_Q)) == 0;
}

void silu_mul(const float* gate, const float* up, int64_t n, float* out) {
  const __m256 one = _mm256_set1_ps(1.0f);
  for (int64_t i = 0; i < n; i += 8) {
    const __m256 g = load_first(gate + i, n - i);
    // Beyond 2^126 the quotient is zero anyway; the clamp keeps the exponential finite.
    const __m256 power =
        _mm256_min_ps(_mm256_mul_ps(g, _mm256_set1_ps(-kLog2E)), _mm256_set1_ps(126.0f));
    const __m256 silu = _mm256_div_ps(g, _mm256_add_ps(one, exp2_ps(power)));
    store_first(out + i, n - i, _mm256_mul_ps(silu, load_first(up + i, n - i)));
  }
}

/** To the nearest integers; a NaN (also of infinity times 0) becomes 0; the scale stays NaN or
 * infinite. */
static inline __m256i round_ordered(__m256 x) {
  const __m256 ordered = _mm256_cmp_ps(x, x, _CMP_ORD_Q);
  return _mm256_cvtps_epi32(_mm256_and_ps(ordered, x));
}

static inline int32_t add_integers(__m256i x) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
}

void quantize_row(const float* x, int64_t n, int8_t* codes, float* scales, int32_t* sums16,
                  int32_t* sums32) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  for (int64_t block = 0; block < n / 32; block++, x += 32, codes += 32) {
    __m256 value[4], largest_lanes = _mm256_setzero_ps(), nans = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
      value[i] = _mm256_loadu_ps(x + 8 * i);
      largest_lanes = _mm256_max_ps(largest_lanes, _mm256_and_ps(value[i], magnitude));
      nans = _mm256_or_ps(nans, _mm256_cmp_ps(value[i], value[i], _CMP_UNORD_Q));
    }
    // vmaxps may lose a NaN; a NaN scale keeps it, and the request that made it fails alone.
    const float largest = max_lane(largest_lanes);
    const bool nan = _mm256_movemask_ps(nans) != 0;
    scales[block] = nan ? __builtin_nanf("") : largest / 127.0f;
    const __m256 inverse = _mm256_set1_ps(largest > kLeastLargest ? 127.0f / largest : 0.0f);
    __m256i q[4];
    for (int i = 0; i < 4; i++) q[i] = round_ordered(_mm256_mul_ps(value[i], inverse));
    const __m256i words =
        _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // the packs work per half
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes),
                        _mm256_permutevar8x32_epi32(words, order));
    sums16[2 * block] = add_integers(_mm256_add_epi32(q[0], q[1]));
    sums16[2 * block + 1] = add_integers(_mm256_add_epi32(q[2], q[3]));
    sums32[block] = sums16[2 * block] + sums16[2 * block + 1];
  }
}

void round_bf16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; i++) out[i] = f32_to_bf16(x[i]);
}

void max_value(const float* x, int64_t n, float* max, int32_t* has_nan) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  __m256 largest = lowest, nans = _mm256_setzero_ps();
  for (int64_t i = 0; i < n; i += 8) {
    const __m256 mask = _mm256_castsi256_ps(first(n - i));
    const __m256 value = _mm256_blendv_ps(lowest, load_first(x + i, n - i), mask);
    nans = _mm256_or_ps(nans, _mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    largest = _mm256_max_ps(value, largest);
  }
  *max = max_lane(largest);
  *has_nan = _mm256_movemask_ps(nans) != 0;
}

double sum_exp2(const float* x, int64_t n, float max, float scale) {
  __m256 sum = _mm256_setzero_ps();
  for (int64_t i = 0; i < n; i += 8) {
    const __m256 value = _mm256_sub_ps(load_first(x + i, n - i), _mm256_set1_ps(max));
    const __m256 power = exp2_ps(_mm256_mul_ps(value, _mm256_set1_ps(scale)));
    sum = _mm256_add_ps(sum, _mm256_and_ps(power, _mm256_castsi256_ps(first(n - i))));
  }
  return add_lanes(sum);
}

}  // namespace cachalot::cpu::avx2
