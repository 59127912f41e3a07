// y = x W^T for packed weights and int8 rows. Per 32 inputs and output: an exact integer dot
// product (vpdpbusd) of each group of inputs, then t = scale_w * dot [+ the second group's]
// [- min_w * sum_x], then acc = fma(scale_x, t, acc), along K in order. The arithmetic of one (row,
// output) never depends on how many rows there are: only the blocking does.

#include "cpu/avx512/codecs.h"
#include "cpu/avx512/kernels_avx512.h"
#include "cpu/avx512/vector.h"

namespace cachalot::cpu::avx512 {

namespace {

constexpr int64_t kAhead = 4096;  // bytes that are fetched early where one row reads a weight once

/** acc += one block of 32 inputs: rows whose blocks are `stride` apart, beginning with block `at`.
 * The integer dot products of all rows and panels go side by side, so that they hide each other's
 * latency. */
template <class Codec, int kRows, int kPanels>
[[gnu::always_inline]] inline void add_block(const PanelTask& task,
                                             const typename Codec::Codes (&codes)[kPanels],
                                             int64_t at, int64_t stride,
                                             __m512 (&acc)[kRows][kPanels]) {
  constexpr int kGroups = Codec::kGroups, kQuads = 8 / kGroups;
  __m512 t[kRows][kPanels];
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
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; p++) {
        const __m512 value = _mm512_cvtepi32_ps(dot[i][p]);
        t[i][p] = g == 0 ? _mm512_mul_ps(codes[p].scale[0], value)
                         : _mm512_fmadd_ps(codes[p].scale[g], value, t[i][p]);
        if (Codec::kHasMin) {
          const __m512 sum = _mm512_set1_ps(static_cast<float>(sums[i]));
          t[i][p] = _mm512_fnmadd_ps(codes[p].min[g], sum, t[i][p]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; p++)
      acc[i][p] =
          _mm512_fmadd_ps(_mm512_set1_ps(task.x.scales[at + i * stride]), t[i][p], acc[i][p]);
}

/** Panels that lie one after the other. */
struct Panels {
  const uint8_t* first;
  int64_t bytes;  // of each
};

template <class Codec>
inline void prefetch(const uint8_t* block, int64_t sub) {
  constexpr int64_t kSubBytes = Codec::kBytes * kQuantBlock / Codec::kInputs;
  for (int64_t line = 0; line < kSubBytes; line += 64)
    _mm_prefetch(block + sub * kSubBytes + line + kAhead, _MM_HINT_T0);
}

/** Rows [row, row + kRows) of kPanels panels: the sums stay in registers along K. */
template <class Codec, int kRows, int kPanels>
[[gnu::noinline]] void tile(const PanelTask& task, const Codec& codec, const Panels& panels,
                            int64_t output, int row) {
  constexpr int64_t kSubs = Codec::kInputs / kQuantBlock;
  const int64_t n_blocks = task.n_inputs / Codec::kInputs;
  const int64_t blocks_per_row = task.n_inputs / kQuantBlock;
  __m512 acc[kRows][kPanels];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; p++) acc[i][p] = _mm512_setzero_ps();
  for (int64_t block = 0; block < n_blocks; block++) {
    const uint8_t* weights = panels.first + block * Codec::kBytes;
    for (int64_t sub = 0; sub < kSubs; sub++) {
      if (kRows == 1) prefetch<Codec>(weights, sub);
      typename Codec::Codes codes[kPanels];
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; p++)
        codec.load(weights + p * panels.bytes, static_cast<int>(sub), codes[p]);
      add_block<Codec, kRows, kPanels>(task, codes, row * blocks_per_row + block * kSubs + sub,
                                       blocks_per_row, acc);
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < kPanels; p++) {
    const int64_t at = output + p * kPanelOutputs;
    const __mmask16 mask = first(task.n_outputs - at);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++)
      _mm512_mask_storeu_ps(task.y + (row + i) * task.n_outputs + at, mask, acc[i][p]);
  }
}

template <class Codec, int kRows, int kPanels>
int tiles(const PanelTask& task, const Codec& codec, const Panels& panels, int64_t output,
          int row) {
  for (; row + kRows <= task.n_rows; row += kRows)
    tile<Codec, kRows, kPanels>(task, codec, panels, output, row);
  return row;
}

/** All rows of kPanels panels. */
template <class Codec, int kPanels>
void all_rows(const PanelTask& task, const Codec& codec, const Panels& panels, int64_t output) {
  int row = 0;
  if (kPanels == 1) row = tiles<Codec, 8, kPanels>(task, codec, panels, output, row);
  if (kPanels == 2) row = tiles<Codec, 6, kPanels>(task, codec, panels, output, row);
  row = tiles<Codec, 4, kPanels>(task, codec, panels, output, row);
  row = tiles<Codec, 2, kPanels>(task, codec, panels, output, row);
  tiles<Codec, 1, kPanels>(task, codec, panels, output, row);
}

/** Codes that have been unpacked into memory, one block of 32 inputs after the other. */
template <class Packed>
struct InMemory : Gives<Packed::kGroups, Packed::kHasMin> {
  using Codes = typename Packed::Codes;
  static constexpr int kInputs = kQuantBlock, kZero = Packed::kZero;
  static constexpr int64_t kBytes = sizeof(Codes);
  void load(const uint8_t* block, int /*sub*/, Codes& out) const {
    out = *reinterpret_cast<const Codes*>(block);
  }
};

template <class Codec>
[[gnu::noinline]] void unpack(const PanelTask& task, const Codec& codec, const Panels& packed,
                              int n_panels, const Panels& into) {
  constexpr int64_t kSubs = Codec::kInputs / kQuantBlock;
  for (int p = 0; p < n_panels; p++) {
    auto* out = reinterpret_cast<typename Codec::Codes*>(task.scratch + p * into.bytes);
    for (int64_t i = 0; i < task.n_inputs / kQuantBlock; i++)
      codec.load(packed.first + p * packed.bytes + i / kSubs * Codec::kBytes,
                 static_cast<int>(i % kSubs), out[i]);
  }
}

/** kPanels panels from `panel` on. Where many rows go over them, their codes are unpacked once and
 * not for each tile. */
template <class Codec, int kPanels>
void run_panels(const PanelTask& task, const Codec& codec, int panel) {
  const int64_t bytes = task.n_inputs / Codec::kInputs * Codec::kBytes;
  const int64_t output = int64_t{panel} * kPanelOutputs;
  const Panels packed{task.panels + panel * bytes, bytes};
  if (task.n_rows < Codec::kUnpackFrom)
    return all_rows<Codec, kPanels>(task, codec, packed, output);
  const Panels codes{task.scratch, task.n_inputs / kQuantBlock * InMemory<Codec>::kBytes};
  unpack(task, codec, packed, kPanels, codes);
  all_rows<InMemory<Codec>, kPanels>(task, {}, codes, output);
}

template <class Codec>
void run(const PanelTask& task) {
  const Codec codec;
  int panel = task.first_panel;
  if (task.n_rows >= 4)
    for (; panel + 2 <= task.end_panel; panel += 2) run_panels<Codec, 2>(task, codec, panel);
  for (; panel < task.end_panel; panel++) run_panels<Codec, 1>(task, codec, panel);
}

}  // namespace

void linear_panels(const PanelTask* task) {
#include "cpu/device/each_codec.inc"
}

}  // namespace cachalot::cpu::avx512
