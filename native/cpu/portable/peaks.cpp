// As much arithmetic and reading as plain loops do. Benchmarks call it 100 %.

#include <string.h>

#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

namespace {

constexpr int kLanes = 64;  // a number that compilers keep in registers

}  // namespace

double spin_f32(int64_t rounds) {
  float sums[kLanes];
  for (int j = 0; j < kLanes; j++) sums[j] = static_cast<float>(j);
  const volatile float half = 0.5f;  // volatile: a compiler could leave out known work
  const float factor = half;
  for (int64_t i = 0; i < rounds; i++) {
    for (float& sum : sums) sum = sum * factor + factor;
  }
  volatile float kept = 0;
  for (const float sum : sums) kept = kept + sum;
  return 2.0 * kLanes * static_cast<double>(rounds);
}

double spin_bf16(int64_t) { return 0; }  // no such instruction

double spin_int8(int64_t rounds) {
  uint32_t sums[kLanes] = {};  // may wrap around
  int8_t codes[kLanes];
  for (int j = 0; j < kLanes; j++) codes[j] = static_cast<int8_t>(j);
  for (int64_t i = 0; i < rounds; i++) {
    const auto factor = static_cast<int8_t>(i & 1);
    for (int j = 0; j < kLanes; j++) sums[j] += static_cast<uint32_t>(codes[j] * factor);
  }
  volatile uint32_t kept = 0;
  for (const uint32_t sum : sums) kept = kept + sum;
  return 2.0 * kLanes * static_cast<double>(rounds);
}

uint64_t read_all(const uint8_t* data, int64_t bytes) {
  uint64_t sums[8] = {};
  for (int64_t i = 0; i + 64 <= bytes; i += 64) {
    uint64_t words[8];
    memcpy(words, data + i, sizeof words);
    for (int j = 0; j < 8; j++) sums[j] ^= words[j];
  }
  uint64_t all = 0;
  for (const uint64_t sum : sums) all ^= sum;
  return all;
}

}  // namespace cachalot::cpu::portable
