// y = x W^T for packed weights and int8 rows, plainly: unpack 32 inputs of 16 outputs, then exact
// integer dot products and one float multiply-add per (row, output). The vector paths do the same
// in registers.

#include "cpu/device/half.h"
#include "cpu/device/packed.h"
#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

namespace {

/** 32 inputs of 16 outputs: w = scale * (code - zero) - min, scales per 32 inputs or per 16
 * (`n_groups` 2). */
struct Unpacked {
  int16_t codes[kPanelOutputs][kQuantBlock];  // zero already taken off
  float scale[2][kPanelOutputs];
  float min[2][kPanelOutputs];
};

void unpack_nibbles(const uint8_t* bytes, int zero, Unpacked* out) {
  for (int output = 0; output < kPanelOutputs; output++) {
    for (int i = 0; i < kQuantBlock; i++) {
      const uint8_t both = bytes[i % 16 / 4 * 64 + 4 * output + i % 4];
      out->codes[output][i] = static_cast<int16_t>((i < 16 ? both & 15 : both >> 4) - zero);
    }
  }
}

void unpack_half_scales(const uint8_t* bytes, Unpacked* out) {
  for (int output = 0; output < kPanelOutputs; output++)
    out->scale[0][output] = f16_to_f32(load_u16(bytes + 2 * output));
}

struct Q8_0 : PackedQ8_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int /*sub*/, Unpacked* out) {
    for (int output = 0; output < kPanelOutputs; output++) {
      for (int i = 0; i < kQuantBlock; i++) {
        const int code = block[kCodes + i / 4 * 64 + 4 * output + i % 4];
        out->codes[output][i] = static_cast<int16_t>(code - kZero);
      }
    }
    unpack_half_scales(block + kScales, out);
  }
};

struct Q4_0 : PackedQ4_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int /*sub*/, Unpacked* out) {
    unpack_nibbles(block + kCodes, kZero, out);
    unpack_half_scales(block + kScales, out);
  }
};

struct Q4_K : PackedQ4_K {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    unpack_nibbles(block + kCodes + sub * kCodeBytes / 2, kZero, out);
    for (int output = 0; output < kPanelOutputs; output++) {
      const int at = sub * kPanelOutputs + output;
      out->scale[0][output] = f16_to_f32(load_u16(block + kD + 2 * output)) * block[kScales + at];
      out->min[0][output] = f16_to_f32(load_u16(block + kDmin + 2 * output)) * block[kMins + at];
    }
  }
};

struct Q5_K : PackedQ5_K {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    Q4_K::unpack(block, sub, out);
    for (int output = 0; output < kPanelOutputs; output++) {
      for (int i = 0; i < kQuantBlock; i++) {
        const int bit = 4 * output + i % 4;
        const uint8_t bits = block[kHighBits + 8 * (8 * sub + i / 4) + bit / 8];
        out->codes[output][i] =
            static_cast<int16_t>(out->codes[output][i] + (bits >> (bit % 8) & 1) * 16);
      }
    }
  }
};

struct Q2_K : PackedQ2_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    for (int output = 0; output < kPanelOutputs; output++) {
      for (int half = 0; half < 2; half++) {
        const int group = 2 * sub + half;
        const uint8_t packed = block[kScales + group * kPanelOutputs + output];
        out->scale[half][output] =
            f16_to_f32(load_u16(block + kD + 2 * output)) * static_cast<float>(packed & 15);
        out->min[half][output] =
            f16_to_f32(load_u16(block + kDmin + 2 * output)) * static_cast<float>(packed >> 4);
        for (int i = 0; i < 16; i++) {
          const uint8_t bits = block[kCodes + 64 * group + 4 * output + i % 4];
          out->codes[output][16 * half + i] = bits >> (2 * (i / 4)) & 3;
        }
      }
    }
  }
};

/** The lattice and the signs, spread out: a lookup and a product instead of a branch per weight. */
struct Iq2XxsTables {
  int16_t points[256][8];
  int16_t signs[256][8];

  Iq2XxsTables() {
    static constexpr int16_t kPoints[4] = {8, 25, 43, 0};
    for (int byte = 0; byte < 256; byte++) {
      for (int i = 0; i < 8; i++) {
        points[byte][i] = kPoints[kIq2XxsGrid[byte] >> (2 * i) & 3];
        signs[byte][i] = (byte >> i & 1) != 0 ? -1 : 1;
      }
    }
  }
};

struct IQ2_XXS : PackedIQ2_XXS {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    static const Iq2XxsTables tables;
    const uint8_t* bytes = block + kBlocks + sub * kBlockBytes;
    for (int output = 0; output < kPanelOutputs; output++) {
      for (int group = 0; group < 4; group++) {
        const int16_t* points = tables.points[bytes[group * kPanelOutputs + output]];
        const int16_t* signs = tables.signs[bytes[(4 + group) * kPanelOutputs + output]];
        int16_t* codes = out->codes[output] + 8 * group;
        for (int i = 0; i < 8; i++) codes[i] = static_cast<int16_t>(points[i] * signs[i]);
      }
      const int nibble = block[kScales + sub / 2 * kPanelOutputs + output] >> (4 * (sub % 2)) & 15;
      const float d = f16_to_f32(load_u16(block + kD + 2 * output)) * 0.125f;
      out->scale[0][output] = d * static_cast<float>(2 * nibble + 1);
    }
  }
};

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
  switch (task->dtype) {  // DType's numbers
    case 2: return run<Q4_0>(*task);
    case 8: return run<Q8_0>(*task);
    case 10: return run<Q2_K>(*task);
    case 12: return run<Q4_K>(*task);
    case 13: return run<Q5_K>(*task);
    case 16: return run<IQ2_XXS>(*task);
    default: return;
  }
}

}  // namespace cachalot::cpu::portable
