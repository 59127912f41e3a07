// y = x W^T for F32, F16 and BF16 weights read in place: converted to f32 in registers, fma. Each
// (row, output) has one register of 8 partial sums along K and one fixed reduction at the end, for
// any number of rows.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"

namespace cachalot::cpu::avx2 {

namespace {

struct F32 {
  static constexpr int kBytes = 4;
  static __m256 load(const uint8_t* w) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(w));
  }
};

struct F16 {
  static constexpr int kBytes = 2;
  static __m256 load(const uint8_t* w) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
  }
};

struct BF16 {
  static constexpr int kBytes = 2;
  static __m256 load(const uint8_t* w) {
    const __m128i halfs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halfs), 16));
  }
};

/** The first n of 8 weights, zeros behind them. */
template <class Type>
__m256 load_tail(const uint8_t* w, int64_t n) {
  uint8_t bytes[8 * Type::kBytes] = {};
  __builtin_memcpy(bytes, w, static_cast<size_t>(n) * Type::kBytes);
  return Type::load(bytes);
}

/** kRows rows times kOutputs outputs. */
template <class Type, int kRows, int kOutputs>
void tile(const FloatTask& task, int64_t row, int64_t output) {
  const int64_t k_end = task.n_inputs;
  __m256 acc[kRows][kOutputs];
  for (int r = 0; r < kRows; r++) {
    for (int o = 0; o < kOutputs; o++) acc[r][o] = _mm256_setzero_ps();
  }
  for (int64_t k = 0; k < k_end; k += 8) {
    const bool whole = k + 8 <= k_end;
    __m256 w[kOutputs];
    for (int o = 0; o < kOutputs; o++) {
      const uint8_t* at = task.weight + ((output + o) * k_end + k) * Type::kBytes;
      // The next tile's bytes: rows are too short for the hardware to guess where the next ones
      // are.
      if (kRows == 1) {
        _mm_prefetch(reinterpret_cast<const char*>(at + kOutputs * k_end * Type::kBytes),
                     _MM_HINT_T0);
      }
      w[o] = whole ? Type::load(at) : load_tail<Type>(at, k_end - k);
    }
    for (int r = 0; r < kRows; r++) {
      const __m256 x = load_first(task.x + (row + r) * k_end + k, k_end - k);
      for (int o = 0; o < kOutputs; o++) acc[r][o] = _mm256_fmadd_ps(w[o], x, acc[r][o]);
    }
  }
  for (int r = 0; r < kRows; r++) {
    for (int o = 0; o < kOutputs; o++) {
      task.y[(row + r) * task.n_outputs + output + o] = add_lanes(acc[r][o]);
    }
  }
}

template <class Type, int kOutputs>
void outputs(const FloatTask& task, int64_t output) {
  int64_t row = 0;
  for (; row + 3 <= task.n_rows; row += 3) tile<Type, 3, kOutputs>(task, row, output);
  for (; row < task.n_rows; row++) tile<Type, 1, kOutputs>(task, row, output);
}

// Twelve accumulators, four weights and an input fill the 16 registers.
template <class Type>
void run(const FloatTask& task) {
  int64_t output = task.first_output;
  for (; output + 4 <= task.end_output; output += 4) outputs<Type, 4>(task, output);
  for (; output < task.end_output; output++) outputs<Type, 1>(task, output);
}

}  // namespace

void linear_floats(const FloatTask* task) {
  switch (task->dtype) {  // DType's numbers
    case 0: return run<F32>(*task);
    case 1: return run<F16>(*task);
    case 30: return run<BF16>(*task);
    default: return;
  }
}

}  // namespace cachalot::cpu::avx2
