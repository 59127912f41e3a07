// spin_int8 for machines that have AVX-VNNI: compiled with -mavxvnni.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/spin.h"

namespace cachalot::cpu::avx2 {

double spin_int8_vnni(int64_t rounds) {
  const __m256i x = _mm256_set1_epi8(1);
  spin(
      _mm256_setzero_si256(), rounds,
      [&](__m256i sum) { return _mm256_dpbusd_avx_epi32(sum, x, x); },
      [](__m256i& sum) { __asm__ volatile(""
                                          : "+x"(sum)); });
  return spin_operations(rounds, 2 * 32);
}

}  // namespace cachalot::cpu::avx2
