// As much arithmetic and reading as the instructions allow. Benchmarks call it 100 %.

#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"
#include "cpu/device/spin.h"

namespace cachalot::cpu::avx512 {

double spin_f32(int64_t rounds) {
  const __m512 x = _mm512_set1_ps(0.5f);
  spin(
      _mm512_set1_ps(1.0f), rounds, [&](__m512 sum) { return _mm512_fmadd_ps(sum, x, x); },
      [](__m512& sum) { __asm__ volatile(""
                                         : "+v"(sum)); });
  return spin_operations(rounds, 2 * 16);
}

double spin_bf16(int64_t rounds) {
  const auto x = (__m512bh)_mm512_set1_epi16(0x3f80);
  spin(
      _mm512_setzero_ps(), rounds, [&](__m512 sum) { return _mm512_dpbf16_ps(sum, x, x); },
      [](__m512& sum) { __asm__ volatile(""
                                         : "+v"(sum)); });
  return spin_operations(rounds, 2 * 32);
}

double spin_int8(int64_t rounds) {
  const __m512i x = _mm512_set1_epi8(1);
  spin(
      _mm512_setzero_si512(), rounds, [&](__m512i sum) { return _mm512_dpbusd_epi32(sum, x, x); },
      [](__m512i& sum) { __asm__ volatile(""
                                          : "+v"(sum)); });
  return spin_operations(rounds, 2 * 64);
}

constexpr int64_t kAhead = 8192;  // bytes that are asked for early, as the kernels do

uint64_t read_all(const uint8_t* data, int64_t bytes) {
  __m512i sums[4];
  for (auto& sum : sums) sum = _mm512_setzero_si512();
  for (int64_t i = 0; i + 256 <= bytes; i += 256) {
    for (int j = 0; j < 4; j++) {
      _mm_prefetch(data + i + 64 * j + kAhead, _MM_HINT_T0);
      sums[j] = _mm512_xor_si512(sums[j], _mm512_loadu_si512(data + i + 64 * j));
    }
  }
  const __m512i all =
      _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]), _mm512_xor_si512(sums[2], sums[3]));
  return static_cast<uint64_t>(_mm512_reduce_or_epi64(all));
}

}  // namespace cachalot::cpu::avx512
