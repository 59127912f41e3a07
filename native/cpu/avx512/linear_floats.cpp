// y = x W^T for F32, F16 and BF16 weights read in place. Each (row, output) has one register of 16
// partial sums along K - fma for F32 and F16, vdpbf16ps for BF16 - and one fixed reduction at the
// end, for any number of rows.

#include <immintrin.h>

#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"

namespace cachalot::cpu::avx512 {

namespace {

// A register of weights or inputs: whole, or the first `n` with zeros after them.
struct F32 {
  static constexpr int kStep = 16, kBytes = 4;
  using Register = __m512;
  static __m512 load(const uint8_t* w) { return _mm512_loadu_ps(w); }
  static __m512 load(const uint8_t* w, int64_t n) { return _mm512_maskz_loadu_ps(first(n), w); }
  static const uint8_t* input(const FloatTask& task, int64_t at) {
    return reinterpret_cast<const uint8_t*>(task.x + at);
  }
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

struct BF16 {
  static constexpr int kStep = 32, kBytes = 2;
  using Register = __m512bh;
  static __m512bh load(const uint8_t* w) {
    return reinterpret_cast<__m512bh>(_mm512_loadu_si512(w));
  }
  static __m512bh load(const uint8_t* w, int64_t n) {
    return reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16((1u << n) - 1, w));
  }
  static const uint8_t* input(const FloatTask& task, int64_t at) {
    return reinterpret_cast<const uint8_t*>(task.x_bf16 + at);
  }
  static __m512bh load_input(const uint8_t* x) { return load(x); }
  static __m512bh load_input(const uint8_t* x, int64_t n) { return load(x, n); }
  static __m512 dot(__m512 acc, __m512bh w, __m512bh x) { return _mm512_dpbf16_ps(acc, w, x); }
};

// With few rows the memory decides. One output at a time reads it in order, and what comes is
// fetched two pages ahead, since the hardware stops at the end of one: a 1.2B model in BF16 decodes
// at 18 tokens/s, where four outputs side by side gave 14.
constexpr int64_t kAhead = 8192;
constexpr int64_t kFewRows = 3;

/** acc += one register along K, for kRows rows and kOutputs outputs. `n`: nothing, or how many
 * inputs are left. */
template <class Type, int kRows, int kOutputs, class... Left>
inline void step(const FloatTask& task, int64_t row, int64_t output, int64_t k,
                 __m512 (&acc)[kRows][kOutputs], Left... n) {
  constexpr int64_t kInputBytes = Type::kStep == 32 ? 2 : 4;
  const int64_t k_end = task.n_inputs;
  const uint8_t* weights = task.weight + (output * k_end + k) * Type::kBytes;
  const uint8_t* inputs = Type::input(task, row * k_end + k);
  typename Type::Register w[kOutputs];
#pragma GCC unroll 4
  for (int o = 0; o < kOutputs; o++) {
    if (kOutputs == 1) _mm_prefetch(weights + kAhead, _MM_HINT_T0);
    w[o] = Type::load(weights + o * k_end * Type::kBytes, n...);
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++) {
    const auto x = Type::load_input(inputs + r * k_end * kInputBytes, n...);
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) acc[r][o] = Type::dot(acc[r][o], w[o], x);
  }
}

/** kRows rows times kOutputs outputs. */
template <class Type, int kRows, int kOutputs>
void tile(const FloatTask& task, int64_t row, int64_t output) {
  __m512 acc[kRows][kOutputs];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) acc[r][o] = _mm512_setzero_ps();
  int64_t k = 0;
  for (; k + Type::kStep <= task.n_inputs; k += Type::kStep) step<Type>(task, row, output, k, acc);
  if (k < task.n_inputs) step<Type>(task, row, output, k, acc, task.n_inputs - k);
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++)
      task.y[(row + r) * task.n_outputs + output + o] = _mm512_reduce_add_ps(acc[r][o]);
}

template <class Type, int kOutputs>
void outputs(const FloatTask& task, int64_t output) {
  int64_t row = 0;
  for (; row + 6 <= task.n_rows; row += 6) tile<Type, 6, kOutputs>(task, row, output);
  switch (task.n_rows - row) {
    case 5:
      tile<Type, 3, kOutputs>(task, row, output);
      row += 3;
      [[fallthrough]];
    case 2: return tile<Type, 2, kOutputs>(task, row, output);
    case 4: return tile<Type, 4, kOutputs>(task, row, output);
    case 3: return tile<Type, 3, kOutputs>(task, row, output);
    case 1: return tile<Type, 1, kOutputs>(task, row, output);
    default: return;
  }
}

// Four outputs and six rows: 24 sums, four weights and an input fill the registers.
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
