// device/float_tiles.h for 512-bit registers: fma for F32 and F16, vdpbf16ps for BF16. Four outputs
// and six rows: 24 sums, four weights and an input fill the registers.

#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"
#include "cpu/device/float_tiles.h"

namespace cachalot::cpu::avx512 {

namespace {

struct Sums {
  using Sum = __m512;
  static constexpr int kOutputs = 4, kFewOutputs = 1;
  static Sum zero() { return _mm512_setzero_ps(); }
  static void store_totals(float* y, const Sum (&sums)[1]) { *y = sum_lanes(sums[0]); }
  static void store_totals(float* y, const Sum (&sums)[4]) {
    _mm_storeu_ps(y, sum_lanes(sums[0], sums[1], sums[2], sums[3]));
  }
};

struct F32 : Sums {
  static constexpr int kStep = 16, kBytes = 4, kInputBytes = 4;
  using Register = __m512;
  static __m512 load(const uint8_t* w) { return _mm512_loadu_ps(w); }
  static __m512 load(const uint8_t* w, int64_t n) { return _mm512_maskz_loadu_ps(first(n), w); }
  static const uint8_t* input(const FloatTask& task, int64_t row, int64_t k) {
    return reinterpret_cast<const uint8_t*>(task.x + row * task.n_inputs + k);
  }
  static int64_t input_stride(const FloatTask& task) { return 4 * task.n_inputs; }  // bytes
  static __m512 load_input(const uint8_t* x) { return F32::load(x); }
  static __m512 load_input(const uint8_t* x, int64_t n) { return F32::load(x, n); }
  static __m512 dot(__m512 acc, __m512 w, __m512 x) { return _mm512_fmadd_ps(w, x, acc); }
};

struct F16 : F32 {
  static constexpr int kBytes = 2;
  static __m512 load(const uint8_t* w) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  static __m512 load(const uint8_t* w, int64_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), w));
  }
};

struct BF16 : Sums {
  static constexpr int kStep = 32, kBytes = 2, kInputBytes = 2;
  using Register = __m512bh;
  static __m512bh load(const uint8_t* w) {
    return reinterpret_cast<__m512bh>(_mm512_loadu_si512(w));
  }
  static __m512bh load(const uint8_t* w, int64_t n) {
    return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16((1u << n) - 1, w));
  }
  static const uint8_t* input(const FloatTask& task, int64_t row, int64_t k) {
    return reinterpret_cast<const uint8_t*>(task.x_bf16 + row * task.bf16_stride + k);
  }
  static int64_t input_stride(const FloatTask& task) { return 2 * task.bf16_stride; }
  static __m512bh load_input(const uint8_t* x) { return load(x); }
  static __m512bh load_input(const uint8_t* x, int64_t n) { return load(x, n); }
  static __m512 dot(__m512 acc, __m512bh w, __m512bh x) { return _mm512_dpbf16_ps(acc, w, x); }
};

}  // namespace

void linear_floats(const FloatTask* task) {
  switch (task->dtype) {
    case DType::kF32: return run_floats<F32>(*task);
    case DType::kF16: return run_floats<F16>(*task);
    case DType::kBF16: return run_floats<BF16>(*task);
    default: return;
  }
}

void round_bf16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = n - i >= 16 ? 0xffff : static_cast<__mmask16>((1u << (n - i)) - 1);
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i));
    _mm256_mask_storeu_epi16(out + i, mask, reinterpret_cast<__m256i>(rounded));
  }
}

}  // namespace cachalot::cpu::avx512
