// device/panel_tiles.h for 512-bit registers: a strip is a panel, and vpdpbusd the dot product.

#include "cpu/avx512/codecs.h"
#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"
#include "cpu/device/panel_tiles.h"

namespace cachalot::cpu::avx512 {

namespace {

struct Path {
  using Ints = __m512i;
  using Floats = __m512;
  static constexpr int kLanes = 16;
  static Ints all(int32_t value) { return _mm512_set1_epi32(value); }
  static Floats all(float value) { return _mm512_set1_ps(value); }
  static Ints first_sum(Ints dot) { return dot; }
  static Ints add_sum(Ints /*dot*/, Ints sum) { return sum; }
  template <bool kSigned>
  static Ints add_products(Ints acc, Ints codes, Ints x) {
    return _mm512_dpbusd_epi32(acc, codes, x);
  }
  static Floats to_floats(Ints x) { return _mm512_cvtepi32_ps(x); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
  static void store_first(float* y, int64_t n, Floats value) {
    _mm512_mask_storeu_ps(y, first(n), value);
  }
};

constexpr int kRowsForPairs = 4;  // fewer read one panel after the other, as it lies

template <class Codec>
void run(const PanelTask& task) {
  const Codec codec;
  int panel = task.first_panel;
  if (task.n_rows >= kRowsForPairs)
    for (; panel + 2 <= task.end_panel; panel += 2)
      run_strips<Path, Codec, 2>(task, codec, panel, Heights<6, 4, 2, 1>());
  for (; panel < task.end_panel; panel++)
    run_strips<Path, Codec, 1>(task, codec, panel, Heights<8, 4, 3, 2, 1>());
}

}  // namespace

void linear_panels(const PanelTask* task) {
#include "cpu/device/each_codec.inc"
}

}  // namespace cachalot::cpu::avx512
