// y = x W^T for packed weights and int8 rows. Per 32 inputs and output: an exact integer dot
// product (vpdpbusd), then acc = fma(scale_w * scale_x, dot, acc) [and acc = fma(-min_w, scale_x *
// sum_x, acc)], along K in order. The arithmetic of one (row, output) never depends on how many
// rows there are: only the blocking does.

#include "cpu/avx512/codecs.h"
#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"

namespace cachalot::cpu::avx512 {

namespace {

/** acc += one block of 32 inputs: rows whose blocks are `stride` apart, beginning with block `at`.
 * The integer dot products of all rows and panels go side by side, so that they hide each other's
 * latency. */
template <class Codec, int kRows, int kPanels>
inline void add_block(const PanelTask& task, const Codes* codes, int64_t at, int64_t stride,
                      __m512 (&acc)[kRows][kPanels]) {
  constexpr int kGroups = Codec::kGroups, kQuads = 8 / kGroups;
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; g++) {
    __m512i dot[kRows][kPanels];
    int32_t sums[kRows];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++) {
      const int64_t block = at + i * stride;
      sums[i] = kGroups == 1 ? task.x.sums32[block] : task.x.sums16[2 * block + g];
      const __m512i zero = _mm512_set1_epi32(-Codec::kZero * sums[i]);  // taken off exactly
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; p++) dot[i][p] = zero;
    }
#pragma GCC unroll 8
    for (int quad = 0; quad < kQuads; quad++) {
#pragma GCC unroll 8
      for (int i = 0; i < kRows; i++) {
        int32_t x;
        __builtin_memcpy(&x, task.x.codes + (at + i * stride) * kQuantBlock + g * 16 + 4 * quad, 4);
#pragma GCC unroll 2
        for (int p = 0; p < kPanels; p++)
          dot[i][p] = _mm512_dpbusd_epi32(dot[i][p], codes[p].quads[g * kQuads + quad],
                                          _mm512_set1_epi32(x));
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++) {
      const __m512 scale_x = _mm512_set1_ps(task.x.scales[at + i * stride]);
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; p++) {
        acc[i][p] = _mm512_fmadd_ps(_mm512_mul_ps(codes[p].scale[g], scale_x),
                                    _mm512_cvtepi32_ps(dot[i][p]), acc[i][p]);
        if (Codec::kHasMin) {
          const __m512 sum_x = _mm512_mul_ps(scale_x, _mm512_set1_ps(static_cast<float>(sums[i])));
          acc[i][p] = _mm512_fnmadd_ps(codes[p].min[g], sum_x, acc[i][p]);
        }
      }
    }
  }
}

/** What comes is fetched early where one row reads a weight once. */
template <class Codec>
inline void prefetch(const uint8_t* block, int64_t sub) {
  constexpr int64_t kSubBytes = Codec::kBytes * kQuantBlock / Codec::kInputs;
  for (int64_t line = 0; line < kSubBytes; line += 64)
    _mm_prefetch(block + sub * kSubBytes + line + 4096, _MM_HINT_T0);
}

/** Rows [row, row + kRows) of kPanels panels: the sums stay in registers along K. */
template <class Codec, int kRows, int kPanels>
void tile(const PanelTask& task, const Codec& codec, int panel, int row) {
  const int64_t n_blocks = task.n_inputs / Codec::kInputs, n_subs = Codec::kInputs / kQuantBlock;
  const int64_t blocks_per_row = task.n_inputs / kQuantBlock;
  const int64_t panel_bytes = n_blocks * Codec::kBytes;
  const uint8_t* weights = task.panels + panel * panel_bytes;
  __m512 acc[kRows][kPanels];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; p++) acc[i][p] = _mm512_setzero_ps();
  for (int64_t block = 0; block < n_blocks; block++) {
    for (int64_t sub = 0; sub < n_subs; sub++) {
      if (kRows == 1) prefetch<Codec>(weights + block * Codec::kBytes, sub);
      Codes codes[kPanels];
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; p++)
        codec.load(weights + p * panel_bytes + block * Codec::kBytes, static_cast<int>(sub),
                   codes[p]);
      add_block<Codec, kRows, kPanels>(task, codes, row * blocks_per_row + block * n_subs + sub,
                                       blocks_per_row, acc);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < kPanels; p++) {
    const int64_t output = int64_t{panel + p} * kPanelOutputs;
    const __mmask16 mask = first(task.n_outputs - output);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++)
      _mm512_mask_storeu_ps(task.y + (row + i) * task.n_outputs + output, mask, acc[i][p]);
  }
}

template <class Codec, int kRows, int kPanels>
int tiles(const PanelTask& task, const Codec& codec, int panel, int row) {
  for (; row + kRows <= task.n_rows; row += kRows)
    tile<Codec, kRows, kPanels>(task, codec, panel, row);
  return row;
}

template <class Codec, int kPanels>
void all_rows(const PanelTask& task, const Codec& codec, int panel) {
  int row = 0;
  if (kPanels == 1) row = tiles<Codec, 8, kPanels>(task, codec, panel, row);
  if (kPanels == 2) row = tiles<Codec, 6, kPanels>(task, codec, panel, row);
  row = tiles<Codec, 4, kPanels>(task, codec, panel, row);
  row = tiles<Codec, 2, kPanels>(task, codec, panel, row);
  tiles<Codec, 1, kPanels>(task, codec, panel, row);
}

template <class Codec>
void run(const PanelTask& task) {
  const Codec codec;
  int panel = task.first_panel;
  if (task.n_rows >= 4)
    for (; panel + 2 <= task.end_panel; panel += 2) all_rows<Codec, 2>(task, codec, panel);
  for (; panel < task.end_panel; panel++) all_rows<Codec, 1>(task, codec, panel);
}

}  // namespace

void linear_panels(const PanelTask* task) {
#include "cpu/device/each_codec.inc"
}

}  // namespace cachalot::cpu::avx512
