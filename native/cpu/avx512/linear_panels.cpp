// y = x W^T for packed weights and int8 rows. Per 32 inputs and output: an exact integer dot
// product (vpdpbusd), then acc = fma(scale_w * scale_x, dot, acc) [and acc = fma(-min_w, scale_x *
// sum_x, acc)], along K in order. The arithmetic of one (row, output) never depends on how many
// rows there are: only the blocking does.

#include "cpu/avx512/codecs.h"
#include "cpu/avx512/kernels_avx512.h"

namespace cachalot::cpu::avx512 {

namespace {

/** One integer dot product of a group of quads, `zero` taken off exactly. */
inline __m512i dot_quads(const __m512i* quads, int n, const int8_t* x, int32_t start) {
  __m512i dot = _mm512_set1_epi32(start);
  for (int i = 0; i < n; i++) {
    int32_t quad;
    __builtin_memcpy(&quad, x + 4 * i, 4);
    dot = _mm512_dpbusd_epi32(dot, quads[i], _mm512_set1_epi32(quad));
  }
  return dot;
}

/** Rows [row, row + kRows) of one panel. */
template <class Codec, int kRows>
void panel_rows(const PanelTask& task, const Codec& codec, const uint8_t* panel, int row,
                __m512* acc) {
  const int64_t n_blocks = task.n_inputs / Codec::kInputs, n_subs = Codec::kInputs / kQuantBlock;
  const int64_t blocks_per_row = task.n_inputs / kQuantBlock;
  constexpr int kGroups = Codec::kGroups, kQuads = 8 / kGroups;
  for (int i = 0; i < kRows; i++) acc[i] = _mm512_setzero_ps();
  for (int64_t block = 0; block < n_blocks; block++) {
    const uint8_t* bytes = panel + block * Codec::kBytes;
    for (int64_t sub = 0; sub < n_subs; sub++) {
      const int64_t k = block * n_subs + sub;  // in blocks of 32 inputs
      if (kRows == 1) {
        constexpr int64_t kSubBytes = Codec::kBytes * kQuantBlock / Codec::kInputs;
        for (int64_t line = 0; line < kSubBytes; line += 64) {
          _mm_prefetch(bytes + sub * kSubBytes + line + 4096, _MM_HINT_T0);
        }
      }
      Codes codes;
      codec.load(bytes, static_cast<int>(sub), codes);
      for (int i = 0; i < kRows; i++) {
        const int64_t at = (row + i) * blocks_per_row + k;
        const int8_t* x = task.x.codes + at * kQuantBlock;
        const __m512 scale_x = _mm512_set1_ps(task.x.scales[at]);
        for (int g = 0; g < kGroups; g++) {
          const int32_t sum = kGroups == 1 ? task.x.sums32[at] : task.x.sums16[2 * at + g];
          const __m512i dot =
              dot_quads(codes.quads + g * kQuads, kQuads, x + g * 16, -Codec::kZero * sum);
          acc[i] = _mm512_fmadd_ps(_mm512_mul_ps(codes.scale[g], scale_x), _mm512_cvtepi32_ps(dot),
                                   acc[i]);
          if (Codec::kHasMin) {
            const __m512 sum_x = _mm512_mul_ps(scale_x, _mm512_set1_ps(static_cast<float>(sum)));
            acc[i] = _mm512_fnmadd_ps(codes.min[g], sum_x, acc[i]);
          }
        }
      }
    }
  }
}

template <class Codec, int kRows>
void store_rows(const PanelTask& task, const Codec& codec, const uint8_t* panel, int64_t output,
                int row) {
  __m512 acc[kRows];
  panel_rows<Codec, kRows>(task, codec, panel, row, acc);
  const int64_t left = task.n_outputs - output;
  const __mmask16 mask = left >= kPanelOutputs ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
  for (int i = 0; i < kRows; i++) {
    _mm512_mask_storeu_ps(task.y + (row + i) * task.n_outputs + output, mask, acc[i]);
  }
}

// Eight rows share one unpacking of the codes: 8 accumulators, 8 quads and the scales fit 32
// registers.
template <class Codec>
void run(const PanelTask& task) {
  const Codec codec;
  const int64_t bytes = task.n_inputs / Codec::kInputs * Codec::kBytes;
  for (int panel = task.first_panel; panel < task.end_panel; panel++) {
    const uint8_t* weights = task.panels + panel * bytes;
    const int64_t output = int64_t{panel} * kPanelOutputs;
    int row = 0;
    for (; row + 8 <= task.n_rows; row += 8)
      store_rows<Codec, 8>(task, codec, weights, output, row);
    for (; row + 4 <= task.n_rows; row += 4)
      store_rows<Codec, 4>(task, codec, weights, output, row);
    for (; row + 2 <= task.n_rows; row += 2)
      store_rows<Codec, 2>(task, codec, weights, output, row);
    for (; row < task.n_rows; row++) store_rows<Codec, 1>(task, codec, weights, output, row);
  }
}

}  // namespace

void linear_panels(const PanelTask* task) {
#include "cpu/device/each_codec.inc"
}

}  // namespace cachalot::cpu::avx512
