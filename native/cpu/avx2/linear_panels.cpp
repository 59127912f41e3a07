// y = x W^T for packed weights and int8 rows; avx512/linear_panels.cpp states the arithmetic. A
// panel is done in two halves of 8 outputs. Products of bytes go through vpmaddubsw, which
// multiplies unsigned with signed bytes and adds pairs in 16 bits: codes stay below 128, or go in
// as |w| with the sign moved to x, so that nothing saturates. With AVX-VNNI one instruction does
// the same; the sums are exact either way, so both give the same bits.

#include "cpu/avx2/codecs.h"
#include "cpu/avx2/kernels_avx2.h"
#include "cpu/avx2/vector.h"

namespace cachalot::cpu::avx2 {

namespace {

/** One integer dot product of a group of quads. */
template <bool kSigned>
inline __m256i dot_quads(const __m256i* quads, int n, const int8_t* x, int32_t start) {
  [[maybe_unused]] const __m256i ones = _mm256_set1_epi16(1);
  __m256i dot = _mm256_set1_epi32(start);
  for (int i = 0; i < n; i++) {
    int32_t quad;
    __builtin_memcpy(&quad, x + 4 * i, 4);
    const __m256i both = _mm256_set1_epi32(quad);
    const __m256i w = kSigned ? _mm256_abs_epi8(quads[i]) : quads[i];
    const __m256i signed_x = kSigned ? _mm256_sign_epi8(both, quads[i]) : both;
#ifdef CACHALOT_AVXVNNI
    dot = _mm256_dpbusd_avx_epi32(dot, w, signed_x);
#else
    dot = _mm256_add_epi32(dot, _mm256_madd_epi16(_mm256_maddubs_epi16(w, signed_x), ones));
#endif
  }
  return dot;
}

/** Rows [row, row + kRows) of half a panel. */
template <class Codec, int kRows>
void half_rows(const PanelTask& task, const Codec& codec, const uint8_t* panel, int half, int row,
               __m256* acc) {
  const int64_t n_blocks = task.n_inputs / Codec::kInputs, n_subs = Codec::kInputs / kQuantBlock;
  const int64_t blocks_per_row = task.n_inputs / kQuantBlock;
  constexpr int kGroups = Codec::kGroups, kQuads = 8 / kGroups;
  constexpr int kZero = Codec::kSigned ? 0 : Codec::kZero;
  for (int i = 0; i < kRows; i++) acc[i] = _mm256_setzero_ps();
  for (int64_t k = 0; k < n_blocks * n_subs; k++) {  // in blocks of 32 inputs
    Codes codes;
    codec.load(panel + k / n_subs * Codec::kBytes, static_cast<int>(k % n_subs), half, codes);
    for (int i = 0; i < kRows; i++) {
      const int64_t at = (row + i) * blocks_per_row + k;
      const int8_t* x = task.x.codes + at * kQuantBlock;
      const __m256 scale_x = _mm256_set1_ps(task.x.scales[at]);
      for (int g = 0; g < kGroups; g++) {
        const int32_t sum = kGroups == 1 ? task.x.sums32[at] : task.x.sums16[2 * at + g];
        const __m256i dot =
            dot_quads<Codec::kSigned>(codes.quads + g * kQuads, kQuads, x + g * 16, -kZero * sum);
        acc[i] = _mm256_fmadd_ps(_mm256_mul_ps(codes.scale[g], scale_x), _mm256_cvtepi32_ps(dot),
                                 acc[i]);
        if (Codec::kHasMin) {
          const __m256 sum_x = _mm256_mul_ps(scale_x, _mm256_set1_ps(static_cast<float>(sum)));
          acc[i] = _mm256_fnmadd_ps(codes.min[g], sum_x, acc[i]);
        }
      }
    }
  }
}

template <class Codec, int kRows>
void store_rows(const PanelTask& task, const Codec& codec, const uint8_t* panel, int64_t output,
                int row) {
  for (int half = 0; half < 2; half++) {
    const int64_t first_output = output + half * kHalfOutputs, left = task.n_outputs - first_output;
    if (left <= 0) return;
    __m256 acc[kRows];
    half_rows<Codec, kRows>(task, codec, panel, half, row, acc);
    for (int i = 0; i < kRows; i++) {
      store_first(task.y + (row + i) * task.n_outputs + first_output, left, acc[i]);
    }
  }
}

// Four rows share one unpacking of the codes: 4 accumulators and 8 quads leave four registers.
template <class Codec>
void run(const PanelTask& task) {
  const Codec codec;
  const int64_t bytes = task.n_inputs / Codec::kInputs * Codec::kBytes;
  for (int panel = task.first_panel; panel < task.end_panel; panel++) {
    const uint8_t* weights = task.panels + panel * bytes;
    const int64_t output = int64_t{panel} * kPanelOutputs;
    int row = 0;
    for (; row + 4 <= task.n_rows; row += 4)
      store_rows<Codec, 4>(task, codec, weights, output, row);
    for (; row < task.n_rows; row++) store_rows<Codec, 1>(task, codec, weights, output, row);
  }
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
