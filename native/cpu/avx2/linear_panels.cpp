// device/panel_tiles.h for 256-bit registers: a strip is half a panel. Products of bytes go through
// vpmaddubsw, which multiplies unsigned with signed bytes and adds pairs in 16 bits: codes stay
// below 128, or go in as |w| with the sign moved to x, so that nothing saturates, and pairs are
// added in 16 bits as far as the codes of a type allow. With AVX-VNNI one instruction does it all;
// the sums are exact either way, so both give the same bits.

#include "cpu/avx2/codecs.h"
#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"
#include "cpu/device/panel_tiles.h"

namespace cachalot::cpu::avx2 {

namespace {

struct Path {
  using Ints = __m256i;
  using Floats = __m256;
  static constexpr int kLanes = 8;
  static Ints all(int32_t value) { return _mm256_set1_epi32(value); }
  static Floats all(float value) { return _mm256_set1_ps(value); }
#ifdef CACHALOT_AVXVNNI
  static Ints first_sum(Ints dot) { return dot; }
  static Ints add_sum(Ints /*dot*/, Ints sum) { return sum; }
  template <bool kSigned>
  static Ints add_products(Ints acc, Ints codes, Ints x) {
    return _mm256_dpbusd_avx_epi32(acc, codes, x);
  }
#else
  /** Pairs of products, in 16 bits. */
  static Ints first_sum(Ints /*dot*/) { return _mm256_setzero_si256(); }
  static Ints add_sum(Ints dot, Ints sum) {
    return _mm256_add_epi32(dot, _mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
  }
  template <bool kSigned>
  static Ints add_products(Ints sum, Ints codes, Ints x) {
    const Ints w = kSigned ? _mm256_abs_epi8(codes) : codes;
    const Ints signed_x = kSigned ? _mm256_sign_epi8(x, codes) : x;
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, signed_x));
  }
#endif
  static Floats to_floats(Ints x) { return _mm256_cvtepi32_ps(x); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats fnma(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }
  static void store_first(float* y, int64_t n, Floats value) { avx2::store_first(y, n, value); }
};

// Six dot products, six sums, two codes and an input: nearly all of the sixteen registers.
template <class Codec>
void run(const PanelTask& task) {
  const Codec codec;
  for (int panel = task.first_panel; panel < task.end_panel; panel++)
    run_strips<Path, Codec, 2>(task, codec, panel, Heights<3, 2, 1>());
}

}  // namespace

#ifdef CACHALOT_AVXVNNI
void linear_panels_vnni(const PanelTask* task) {
#else
void linear_panels(const PanelTask* task) {
#endif
#include "cpu/device/each_codec.inc"
}

}  // namespace cachalot::cpu::avx2
