// y = x W^T for packed weights and int8 rows, plainly: unpack 32 inputs of 16 outputs, then exact
// integer dot products and one float multiply-add per (row, output). The vector paths do the same
// in registers.

#include "cpu/portable/codecs.h"
#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

namespace {

template <class Codec>
void accumulate(const PanelTask& task, const Unpacked& w, int64_t at, float* acc) {
  const int8_t* x = task.x.codes + at * kQuantBlock;
  const float scale_x = task.x.scales[at];
  constexpr int kGroups = Codec::kGroups, kInputs = kQuantBlock / kGroups;
  for (int output = 0; output < kPanelOutputs; output++) {
    for (int g = 0; g < kGroups; g++) {
      int32_t dot = 0;
      for (int i = g * kInputs; i < (g + 1) * kInputs; i++) dot += w.codes[output][i] * x[i];
      acc[output] += w.scale[g][output] * scale_x * static_cast<float>(dot);
      if (Codec::kHasMin) {
        const int32_t sum = kGroups == 1 ? task.x.sums32[at] : task.x.sums16[2 * at + g];
        acc[output] -= w.min[g][output] * (scale_x * static_cast<float>(sum));
      }
    }
  }
}

// Rows in blocks of eight share one unpacking; y itself is not used as the accumulator, so that R
// may be any number.
template <class Codec>
void run(const PanelTask& task) {
  constexpr int kRows = 8;
  const int64_t n_blocks = task.n_inputs / Codec::kInputs, n_subs = Codec::kInputs / kQuantBlock;
  for (int panel = task.first_panel; panel < task.end_panel; panel++) {
    const uint8_t* blocks = task.panels + panel * n_blocks * Codec::kBytes;
    for (int first_row = 0; first_row < task.n_rows; first_row += kRows) {
      const int n_rows = task.n_rows - first_row < kRows ? task.n_rows - first_row : kRows;
      float acc[kRows][kPanelOutputs] = {};
      for (int64_t k = 0; k < n_blocks * n_subs; k++) {
        Unpacked w;
        Codec::unpack(blocks + k / n_subs * Codec::kBytes, static_cast<int>(k % n_subs), &w);
        for (int r = 0; r < n_rows; r++)
          accumulate<Codec>(task, w, (first_row + r) * n_blocks * n_subs + k, acc[r]);
      }
      const int64_t output = int64_t{panel} * kPanelOutputs;
      for (int r = 0; r < n_rows; r++) {
        for (int64_t o = 0; o < kPanelOutputs && output + o < task.n_outputs; o++) {
          task.y[(first_row + r) * task.n_outputs + output + o] = acc[r][o];
        }
      }
    }
  }
}

}  // namespace

void linear_panels(const PanelTask* task) {
#include "cpu/device/each_codec.inc"
}

}  // namespace cachalot::cpu::portable
