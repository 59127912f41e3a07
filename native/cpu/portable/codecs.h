// Packed weights -> plain arrays: 32 inputs of 16 outputs. One struct per type; `linear_panels.cpp`
// is the loop around them. Layouts: device/packed.h.
#pragma once

#include "base/half.h"
#include "cpu/device/packed.h"

namespace cachalot::cpu::portable {

/** w = scale * code - min; scales and minima are per 32 inputs, or per 16 when kGroups is 2. */
struct Unpacked {
  int16_t codes[kPanelOutputs][kQuantBlock];  // zero already taken off
  float scale[2][kPanelOutputs];
  float min[2][kPanelOutputs];
};

static inline float half_at(const uint8_t* halfs, int output) {
  return f16_to_f32(load_u16(halfs + 2 * output));
}

static inline void unpack_halfs(const uint8_t* halfs, float* out) {
  for (int output = 0; output < kPanelOutputs; output++) out[output] = half_at(halfs, output);
}

/** out = d * scale for the 16 outputs of one group. */
static inline void unpack_signed(const uint8_t* d, const uint8_t* scales, float* out) {
  for (int output = 0; output < kPanelOutputs; output++) {
    out[output] = half_at(d, output) * static_cast<int8_t>(scales[output]);
  }
}

static inline void unpack_nibbles(const uint8_t* bytes, int zero, Unpacked* out) {
  for (int output = 0; output < kPanelOutputs; output++) {
    for (int i = 0; i < kQuantBlock; i++) {
      const uint8_t both = bytes[i % 16 / 4 * 64 + 4 * output + i % 4];
      out->codes[output][i] = static_cast<int16_t>((i < 16 ? both & 15 : both >> 4) - zero);
    }
  }
}

static inline void look_up_iq4(Unpacked* out) {
  for (auto& codes : out->codes) {
    for (int16_t& code : codes) code = static_cast<int16_t>(kIq4Values[code] - 128);
  }
}

/** codes += value where the masks of 8 quads have a bit. */
static inline void add_high_bits(const uint8_t* masks, int value, Unpacked* out) {
  for (int output = 0; output < kPanelOutputs; output++) {
    for (int i = 0; i < kQuantBlock; i++) {
      const int bit = 4 * output + i % 4;
      const int set = masks[8 * (i / 4) + bit / 8] >> (bit % 8) & 1;
      out->codes[output][i] = static_cast<int16_t>(out->codes[output][i] + set * value);
    }
  }
}

/** codes += value * (bit pair), for the two groups of 16 inputs from `bytes` on. */
static inline void add_pairs(const uint8_t* bytes, int value, Unpacked* out) {
  for (int output = 0; output < kPanelOutputs; output++) {
    for (int i = 0; i < kQuantBlock; i++) {
      const int pair = bytes[i / 16 * 64 + 4 * output + i % 4] >> (2 * (i % 16 / 4)) & 3;
      out->codes[output][i] = static_cast<int16_t>(out->codes[output][i] + pair * value);
    }
  }
}

static inline void set_codes(int value, Unpacked* out) {
  for (auto& codes : out->codes) {
    for (int16_t& code : codes) code = static_cast<int16_t>(value);
  }
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
    unpack_halfs(block + kScales, out->scale[0]);
  }
};

struct Q4_0 : PackedQ4_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int /*sub*/, Unpacked* out) {
    unpack_nibbles(block + kCodes, kZero, out);
    unpack_halfs(block + kScales, out->scale[0]);
  }
};

struct Q4_1 : PackedQ4_1 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int /*sub*/, Unpacked* out) {
    unpack_nibbles(block + kCodes, kZero, out);
    unpack_halfs(block + kScales, out->scale[0]);
    unpack_halfs(block + kMins, out->min[0]);
  }
};

struct Q5_0 : PackedQ5_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int /*sub*/, Unpacked* out) {
    unpack_nibbles(block + PackedQ4_0::kCodes, kZero, out);
    add_high_bits(block + kHighBits, 16, out);
    unpack_halfs(block + PackedQ4_0::kScales, out->scale[0]);
  }
};

struct Q5_1 : PackedQ5_1 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    Q4_1::unpack(block, sub, out);
    add_high_bits(block + kHighBits, 16, out);
  }
};

struct IQ4_NL : PackedIQ4_NL {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int /*sub*/, Unpacked* out) {
    unpack_nibbles(block + kCodes, 0, out);
    look_up_iq4(out);
    unpack_halfs(block + kScales, out->scale[0]);
  }
};

struct Q4_K : PackedQ4_K {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    unpack_nibbles(block + kCodes + sub * kCodeBytes / 2, kZero, out);
    for (int output = 0; output < kPanelOutputs; output++) {
      const int at = sub * kPanelOutputs + output;
      out->scale[0][output] = half_at(block + kD, output) * block[kScales + at];
      out->min[0][output] = half_at(block + kDmin, output) * block[kMins + at];
    }
  }
};

struct Q5_K : PackedQ5_K {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    Q4_K::unpack(block, sub, out);
    add_high_bits(block + kHighBits + 64 * sub, 16, out);
  }
};

struct IQ4_XS : PackedIQ4_XS {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    unpack_nibbles(block + kCodes + sub * kCodeBytes / 2, 0, out);
    look_up_iq4(out);
    unpack_signed(block + kD, block + kScales + sub * kPanelOutputs, out->scale[0]);
  }
};

struct Q2_K : PackedQ2_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = true;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    set_codes(0, out);
    add_pairs(block + kCodes + 128 * sub, 1, out);
    for (int output = 0; output < kPanelOutputs; output++) {
      for (int half = 0; half < 2; half++) {
        const uint8_t packed = block[kScales + (2 * sub + half) * kPanelOutputs + output];
        out->scale[half][output] = half_at(block + kD, output) * static_cast<float>(packed & 15);
        out->min[half][output] = half_at(block + kDmin, output) * static_cast<float>(packed >> 4);
      }
    }
  }
};

struct Q3_K : PackedQ3_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    set_codes(-kZero, out);
    add_pairs(block + kCodes + 128 * sub, 1, out);
    add_high_bits(block + kHighBits + 64 * sub, 4, out);
    for (int half = 0; half < 2; half++) {
      const int scales = (2 * sub + half) * kPanelOutputs;
      unpack_signed(block + kD, block + kScales + scales, out->scale[half]);
    }
  }
};

struct Q6_K : PackedQ6_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = false;
  static void unpack(const uint8_t* block, int sub, Unpacked* out) {
    unpack_nibbles(block + kCodes + sub * kCodeBytes / 2, kZero, out);
    add_pairs(block + kHighPairs + 128 * sub, 16, out);
    for (int half = 0; half < 2; half++) {
      const int scales = (2 * sub + half) * kPanelOutputs;
      unpack_signed(block + kD, block + kScales + scales, out->scale[half]);
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
        const int16_t* points = tables.points[bytes[4 * output + group]];
        const int16_t* signs =
            tables.signs[iq2_xxs_signs(bytes + 4 * (kPanelOutputs + output), group)];
        int16_t* codes = out->codes[output] + 8 * group;
        for (int i = 0; i < 8; i++) codes[i] = static_cast<int16_t>(points[i] * signs[i]);
      }
      const int nibble = block[kScales + sub / 2 * kPanelOutputs + output] >> (4 * (sub % 2)) & 15;
      const float d = f16_to_f32(load_u16(block + kD + 2 * output)) * 0.125f;
      out->scale[0][output] = d * static_cast<float>(2 * nibble + 1);
    }
  }
};

}  // namespace cachalot::cpu::portable
