// y = x W^T for F32, F16 and BF16 weights read in place. Each (row, output) has one register of 16
// partial sums along K - fma for F32 and F16, vdpbf16ps for BF16 - and one fixed reduction at the
// end, for any number of rows.

#include <immintrin.h>

#include "cpu/avx512/kernels_avx512.h"

namespace cachalot::cpu::avx512 {

namespace {

struct F32 {
  static constexpr int kStep = 16, kBytes = 4;
  using Register = __m512;
  static __m512 weight(const uint8_t* w, int64_t n) {
    return n >= 16 ? _mm512_loadu_ps(w)
                   : _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), w);
  }
  static __m512 input(const FloatTask& task, int64_t at, int64_t n) {
    return weight(reinterpret_cast<const uint8_t*>(task.x + at), n);
  }
  static __m512 dot(__m512 acc, __m512 w, __m512 x) { return _mm512_fmadd_ps(w, x, acc); }
};

struct F16 : F32 {
  static constexpr int kBytes = 2;
  static __m512 weight(const uint8_t* w, int64_t n) {
    const __mmask16 mask = n >= 16 ? 0xffff : static_cast<__mmask16>((1u << n) - 1);
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, w));
  }
};

struct BF16 {
  static constexpr int kStep = 32, kBytes = 2;
  using Register = __m512bh;
  static __m512bh weight(const uint8_t* w, int64_t n) {
    const __mmask32 mask = n >= 32 ? 0xffffffff : (1u << n) - 1;
    return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16(mask, w));
  }
  static __m512bh input(const FloatTask& task, int64_t at, int64_t n) {
    return weight(reinterpret_cast<const uint8_t*>(task.x_bf16 + at), n);
  }
  static __m512 dot(__m512 acc, __m512bh w, __m512bh x) { return _mm512_dpbf16_ps(acc, w, x); }
};

// With few rows the memory decides. One output at a time reads it in order, and what comes is
// fetched two pages ahead, since the hardware stops at the end of one: a 1.2B model in BF16 decodes
// at 18 tokens/s, where four outputs side by side gave 14.
constexpr int64_t kAhead = 8192;
constexpr int64_t kFewRows = 3;

/** kRows rows times kOutputs outputs. */
template <class Type, int kRows, int kOutputs>
void tile(const FloatTask& task, int64_t row, int64_t output) {
  const int64_t k_end = task.n_inputs;
  __m512 acc[kRows][kOutputs];
  for (int r = 0; r < kRows; r++) {
    for (int o = 0; o < kOutputs; o++) acc[r][o] = _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < k_end; k += Type::kStep) {
    typename Type::Register w[kOutputs];
    for (int o = 0; o < kOutputs; o++) {
      const uint8_t* at = task.weight + ((output + o) * k_end + k) * Type::kBytes;
      if (kOutputs == 1) _mm_prefetch(at + kAhead, _MM_HINT_T0);
      w[o] = Type::weight(at, k_end - k);
    }
    for (int r = 0; r < kRows; r++) {
      const auto x = Type::input(task, (row + r) * k_end + k, k_end - k);
      for (int o = 0; o < kOutputs; o++) acc[r][o] = Type::dot(acc[r][o], w[o], x);
    }
  }
  for (int r = 0; r < kRows; r++) {
    for (int o = 0; o < kOutputs; o++) {
      task.y[(row + r) * task.n_outputs + output + o] = _mm512_reduce_add_ps(acc[r][o]);
    }
  }
}

template <class Type, int kOutputs>
void outputs(const FloatTask& task, int64_t output) {
  int64_t row = 0;
  for (; row + 4 <= task.n_rows; row += 4) tile<Type, 4, kOutputs>(task, row, output);
  const int64_t left = task.n_rows - row;
  if (left == 3) return tile<Type, 3, kOutputs>(task, row, output);
  if (left == 2) return tile<Type, 2, kOutputs>(task, row, output);
  if (left == 1) return tile<Type, 1, kOutputs>(task, row, output);
}

// Four outputs: 16 accumulators hide the latency of fma with four rows.
template <class Type>
void run(const FloatTask& task) {
  int64_t output = task.first_output;
  if (task.n_rows > kFewRows) {
    for (; output + 4 <= task.end_output; output += 4) outputs<Type, 4>(task, output);
  }
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

void round_bf16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; i += 16) {
    const __mmask16 mask = n - i >= 16 ? 0xffff : static_cast<__mmask16>((1u << (n - i)) - 1);
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i));
    _mm256_mask_storeu_epi16(out + i, mask, reinterpret_cast<__m256i>(rounded));
  }
}

}  // namespace cachalot::cpu::avx512
