// device/float_tiles.h for 256-bit registers: all types converted to f32, fma. Two outputs and six
// rows: twelve sums, two weights and an input fill the registers.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/float_tiles.h"

namespace cachalot::cpu::avx2 {

namespace {

/** f32 weights. Weights of other types are f32, too, once they are loaded. */
struct F32 {
  using Register = __m256;
  using Sum = __m256;
  static constexpr int kOutputs = 2, kFewOutputs = 4;
  static constexpr int kStep = 8, kBytes = 4, kInputBytes = 4;
  static Sum zero() { return _mm256_setzero_ps(); }
  static __m256 load(const uint8_t* w) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(w));
  }
  static __m256 load(const uint8_t* w, int64_t n) {
    return load_first(reinterpret_cast<const float*>(w), n);
  }
  static const uint8_t* input(const FloatTask& task, int64_t row, int64_t k) {
    return reinterpret_cast<const uint8_t*>(task.x + row * task.n_inputs + k);
  }
  static int64_t input_stride(const FloatTask& task) { return 4 * task.n_inputs; }  // bytes
  static __m256 load_input(const uint8_t* x) { return F32::load(x); }
  static __m256 load_input(const uint8_t* x, int64_t n) { return F32::load(x, n); }
  static Sum dot(Sum acc, __m256 w, __m256 x) { return _mm256_fmadd_ps(w, x, acc); }
  template <int kCount>
  static void store_totals(float* y, const Sum (&sums)[kCount]) {
    for (int o = 0; o < kCount; o++) y[o] = add_lanes(sums[o]);
  }
};

/** The first n of 8 halfs, zeros behind them. */
__m128i load_halfs(const uint8_t* w, int64_t n = 8) {
  uint16_t halfs[8] = {};
  if (n == 8) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(w));
  __builtin_memcpy(halfs, w, static_cast<size_t>(n) * 2);
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(halfs));
}

struct F16 : F32 {
  static constexpr int kBytes = 2;
  template <class... Left>
  static __m256 load(const uint8_t* w, Left... n) {
    return _mm256_cvtph_ps(load_halfs(w, n...));
  }
};

struct BF16 : F32 {
  static constexpr int kBytes = 2;
  template <class... Left>
  static __m256 load(const uint8_t* w, Left... n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_halfs(w, n...)), 16));
  }
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

}  // namespace cachalot::cpu::avx2
