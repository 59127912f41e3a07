// As much arithmetic and reading as the instructions allow. Benchmarks call it 100 %.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/spin.h"

namespace cachalot::cpu::avx2 {

double spin_f32(int64_t rounds) {
  const __m256 x = _mm256_set1_ps(0.5f);
  spin(
      _mm256_set1_ps(1.0f), rounds, [&](__m256 sum) { return _mm256_fmadd_ps(sum, x, x); },
      [](__m256& sum) { __asm__ volatile(""
                                         : "+x"(sum)); });
  return spin_operations(rounds, 2 * 8);
}

double spin_bf16(int64_t) { return 0; }  // no such instruction

/** Without VNNI a dot product of int8 is two multiplications and an addition. */
double spin_int8(int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1);
  const __m256i ones = _mm256_set1_epi16(1);
  const auto dot = [&](__m256i sum) {
    __m256i pairs = x;  // hidden below: a compiler could leave out known work
    __asm__ volatile("" : "+x"(pairs));
    pairs = _mm256_maddubs_epi16(pairs, x);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
  };
  spin(_mm256_setzero_si256(), rounds, dot, [](__m256i& sum) { __asm__ volatile("" : "+x"(sum)); });
  return spin_operations(rounds, 2 * 32);
}

constexpr int64_t kAhead = 8192;  // bytes that are asked for early, as the kernels do

uint64_t read_all(const uint8_t* data, int64_t bytes) {
  __m256i sums[4];
  for (auto& sum : sums) sum = _mm256_setzero_si256();
  for (int64_t i = 0; i + 128 <= bytes; i += 128) {
    _mm_prefetch((const char*)(data + i + kAhead), _MM_HINT_T0);
    _mm_prefetch((const char*)(data + i + 64 + kAhead), _MM_HINT_T0);
    for (int j = 0; j < 4; j++)
      sums[j] = _mm256_xor_si256(sums[j], _mm256_loadu_si256((const __m256i*)(data + i + 32 * j)));
  }
  const __m256i all =
      _mm256_xor_si256(_mm256_xor_si256(sums[0], sums[1]), _mm256_xor_si256(sums[2], sums[3]));
  return static_cast<uint64_t>(_mm256_extract_epi64(all, 0) ^ _mm256_extract_epi64(all, 1) ^
                               _mm256_extract_epi64(all, 2) ^ _mm256_extract_epi64(all, 3));
}

}  // namespace cachalot::cpu::avx2
