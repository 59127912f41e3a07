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

struct BF16 {
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

// With few rows the memory decides. One output at a time reads it in order, and what comes is
// fetched two pages ahead, since the hardware stops at the end of one: a 1.2B model in BF16 decodes
// at 18 tokens/s, where four outputs side by side gave 14.
constexpr int64_t kAhead = 8192;

// With many rows the first cache decides: six rows of x over kChunkBytes stay in it while the
// outputs of a block go by. Sums that are to be continued rest in memory.
constexpr int64_t kChunkBytes = 4096;
constexpr int kBlock = 64;  // outputs
constexpr int kMostRows = 6, kMostOutputs = 4;

/** Sums of six rows and a block of outputs. */
struct Partials {
  __m512 of[kBlock / kMostOutputs][kMostRows][kMostOutputs];
};

/** acc += one register along K, for kRows rows and kOutputs outputs. `n`: nothing, or how many
 * inputs are left. */
template <class Type, int kRows, int kOutputs, class... Left>
[[gnu::always_inline]] inline void step(const FloatTask& task, int64_t row, int64_t output,
                                        int64_t k, __m512 (&acc)[kRows][kOutputs], Left... n) {
  const int64_t k_end = task.n_inputs, stride = Type::input_stride(task);
  const uint8_t* weights = task.weight + (output * k_end + k) * Type::kBytes;
  const uint8_t* inputs = Type::input(task, row, k);
  // The first rows bring the weights from memory; later ones find them.
  const int64_t next_outputs = row == 0 ? kMostOutputs * k_end * Type::kBytes : 0;
  const int64_t ahead = kOutputs == 1 ? kAhead : next_outputs;
  typename Type::Register w[kOutputs];
#pragma GCC unroll 4
  for (int o = 0; o < kOutputs; o++) {
    _mm_prefetch(weights + o * k_end * Type::kBytes + ahead, _MM_HINT_T0);
    w[o] = Type::load(weights + o * k_end * Type::kBytes, n...);
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++) {
    const auto x = Type::load_input(inputs + r * stride, n...);
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) acc[r][o] = Type::dot(acc[r][o], w[o], x);
  }
}

template <int kRows, int kOutputs>
[[gnu::always_inline]] inline void store(const FloatTask& task, int64_t row, int64_t output,
                                         const __m512 (&acc)[kRows][kOutputs]) {
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++) {
    float* y = task.y + (row + r) * task.n_outputs + output;
    if constexpr (kOutputs == 4)
      _mm_storeu_ps(y, sum_lanes(acc[r][0], acc[r][1], acc[r][2], acc[r][3]));
    else
      for (int o = 0; o < kOutputs; o++) y[o] = sum_lanes(acc[r][o]);
  }
}

/** kRows rows times kOutputs outputs for inputs [k, end) of K: from the partial sums on, if these
 * are not the first, and to them, if not the last. */
template <class Type, int kRows, int kOutputs>
[[gnu::noinline]] void tile(const FloatTask& task, int64_t row, int64_t output, int64_t k,
                            int64_t end, __m512 (*partials)[kMostOutputs]) {
  __m512 acc[kRows][kOutputs];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) acc[r][o] = k == 0 ? _mm512_setzero_ps() : partials[r][o];
  for (; k + Type::kStep <= end; k += Type::kStep) step<Type>(task, row, output, k, acc);
  if (end == task.n_inputs) {
    if (k < end) step<Type>(task, row, output, k, acc, end - k);
    return store(task, row, output, acc);
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) partials[r][o] = acc[r][o];
}

/** kRows rows and outputs [first, end), a block. */
template <class Type, int kRows>
void block(const FloatTask& task, int64_t row, int64_t first, int64_t end, Partials* partials) {
  const int64_t chunk = kChunkBytes / Type::kInputBytes;
  for (int64_t k = 0; k < task.n_inputs; k += chunk) {
    const int64_t k_end = k + chunk < task.n_inputs ? k + chunk : task.n_inputs;
    auto* sums = partials->of;
    int64_t output = first;
    for (; output + kMostOutputs <= end; output += kMostOutputs)
      tile<Type, kRows, kMostOutputs>(task, row, output, k, k_end, *sums++);
    for (int64_t o = 0; output + o < end; o++)
      tile<Type, kRows, 1>(task, row, output + o, k, k_end,
                           reinterpret_cast<__m512(*)[kMostOutputs]>(&(*sums)[0][o]));
  }
}

template <class Type>
void many_rows(const FloatTask& task) {
  Partials partials;
  for (int64_t first = task.first_output; first < task.end_output; first += kBlock) {
    const int64_t end = first + kBlock < task.end_output ? first + kBlock : task.end_output;
    int64_t row = 0;
    for (; row + 6 <= task.n_rows; row += 6) block<Type, 6>(task, row, first, end, &partials);
    if (task.n_rows - row == 5) {
      block<Type, 3>(task, row, first, end, &partials);
      row += 3;
    }
    switch (task.n_rows - row) {
      case 4: block<Type, 4>(task, row, first, end, &partials); break;
      case 3: block<Type, 3>(task, row, first, end, &partials); break;
      case 2: block<Type, 2>(task, row, first, end, &partials); break;
      case 1: block<Type, 1>(task, row, first, end, &partials); break;
      default: break;
    }
  }
}

template <class Type, int kRows>
void few_rows(const FloatTask& task) {
  for (int64_t output = task.first_output; output < task.end_output; output++)
    tile<Type, kRows, 1>(task, 0, output, 0, task.n_inputs, nullptr);
}

template <class Type>
void run(const FloatTask& task) {
  switch (task.n_rows) {
    case 1: return few_rows<Type, 1>(task);
    case 2: return few_rows<Type, 2>(task);
    case 3: return few_rows<Type, 3>(task);
    default: return many_rows<Type>(task);
  }
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
