// y = x W^T for weights of floats read in place. Each (row, output) has one register of partial
// sums along K and one fixed reduction at the end, for any number of rows.
//
// The loops, for paths with vectors. A Type has registers of weights and inputs, whole or the first
// `n` values with zeros after them, and the operations on them. Included once per translation unit.
#pragma once

#include "cpu/device/heights.h"
#include "cpu/kernels.h"

namespace cachalot::cpu {

namespace {

// With few rows the memory decides. Where one output keeps a core busy, outputs are taken one at a
// time: weights are read in order and fetched two pages ahead, since the hardware stops at the end
// of a page. A 1.2B model in BF16 decodes at 18 tokens/s; four outputs side by side gave 14.
constexpr int64_t kAhead = 8192;

// With many rows the first-level cache decides: six rows of x over kChunkBytes stay in it while the
// outputs of a block are computed. Unfinished sums are kept in memory.
constexpr int64_t kChunkBytes = 4096;
constexpr int kBlock = 64;  // outputs

/** acc += one register along K, for kRows rows and kOutputs outputs. `n`: nothing, or how many
 * inputs are left. */
template <class Type, int kRows, int kOutputs, class... Left>
[[gnu::always_inline]] inline void step(const FloatTask& task, int64_t row, int64_t output,
                                        int64_t k, typename Type::Sum (&acc)[kRows][kOutputs],
                                        Left... n) {
  const int64_t k_end = task.n_inputs, stride = Type::input_stride(task);
  const uint8_t* weights = task.weight + (output * k_end + k) * Type::kBytes;
  const uint8_t* inputs = Type::input(task, row, k);
  // The first rows bring the weights from memory; later ones find them.
  const int64_t next_outputs = row == 0 ? kOutputs * k_end * Type::kBytes : 0;
  const int64_t ahead = kOutputs == 1 ? kAhead : next_outputs;
  typename Type::Register w[kOutputs];
#pragma GCC unroll 4
  for (int o = 0; o < kOutputs; o++) {
    __builtin_prefetch(weights + o * k_end * Type::kBytes + ahead, 0, 3);
    w[o] = Type::load(weights + o * k_end * Type::kBytes, n...);
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++) {
    const auto x = Type::load_input(inputs + r * stride, n...);
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) acc[r][o] = Type::dot(acc[r][o], w[o], x);
  }
}

template <class Type, int kRows, int kOutputs>
[[gnu::always_inline]] inline void store(const FloatTask& task, int64_t row, int64_t output,
                                         const typename Type::Sum (&acc)[kRows][kOutputs]) {
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
    Type::store_totals(task.y + (row + r) * task.n_outputs + output, acc[r]);
}

/** kRows rows times kOutputs outputs for inputs [k, end) of K. Begins with the partial sums unless
 * these inputs are the first, and ends in them unless they are the last. Null: they are both. */
template <class Type, int kRows, int kOutputs>
[[gnu::noinline]] void tile(const FloatTask& task, int64_t row, int64_t output, int64_t k,
                            int64_t end, typename Type::Sum* partials) {
  typename Type::Sum acc[kRows][kOutputs];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++)
      acc[r][o] = k == 0 ? Type::zero() : partials[r * kOutputs + o];
  for (; k + Type::kStep <= end; k += Type::kStep) step<Type>(task, row, output, k, acc);
  if (partials == nullptr || end == task.n_inputs) {
    if (k < end) step<Type>(task, row, output, k, acc, end - k);
    return store<Type>(task, row, output, acc);
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; r++)
#pragma GCC unroll 4
    for (int o = 0; o < kOutputs; o++) partials[r * kOutputs + o] = acc[r][o];
}

/** kRows rows and outputs [first, end), a block. */
template <class Type, int kRows>
void block(const FloatTask& task, int64_t row, int64_t first, int64_t end) {
  constexpr int kWidth = Type::kOutputs;
  const int64_t chunk = kChunkBytes / Type::kInputBytes;
  typename Type::Sum partials[kRows * kBlock];
  for (int64_t k = 0; k < task.n_inputs; k += chunk) {
    const int64_t k_end = k + chunk < task.n_inputs ? k + chunk : task.n_inputs;
    int64_t output = first;
    for (; output + kWidth <= end; output += kWidth)
      tile<Type, kRows, kWidth>(task, row, output, k, k_end, partials + (output - first) * kRows);
    for (; output < end; output++)
      tile<Type, kRows, 1>(task, row, output, k, k_end, partials + (output - first) * kRows);
  }
}

template <class Type, int kRows>
void blocks(const FloatTask& task, int64_t first, int64_t end, int64_t* row) {
  for (; *row + kRows <= task.n_rows; *row += kRows) block<Type, kRows>(task, *row, first, end);
}

template <class Type, int... kHeights>
void many_rows(const FloatTask& task, Heights<kHeights...>) {
  for (int64_t first = task.first_output; first < task.end_output; first += kBlock) {
    const int64_t end = first + kBlock < task.end_output ? first + kBlock : task.end_output;
    int64_t row = 0;
    (blocks<Type, kHeights>(task, first, end, &row), ...);
  }
}

template <class Type, int kRows>
void few_rows(const FloatTask& task) {
  constexpr int kWidth = Type::kFewOutputs;
  int64_t output = task.first_output;
  for (; output + kWidth <= task.end_output; output += kWidth)
    tile<Type, kRows, kWidth>(task, 0, output, 0, task.n_inputs, nullptr);
  for (; output < task.end_output; output++)
    tile<Type, kRows, 1>(task, 0, output, 0, task.n_inputs, nullptr);
}

template <class Type>
void run_floats(const FloatTask& task) {
  switch (task.n_rows) {
    case 1: return few_rows<Type, 1>(task);
    case 2: return few_rows<Type, 2>(task);
    case 3: return few_rows<Type, 3>(task);
    default: return many_rows<Type>(task, Heights<6, 4, 3, 2, 1>());
  }
}

}  // namespace

}  // namespace cachalot::cpu
