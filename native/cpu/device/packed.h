// Layout of packed weights: panels of 16 outputs, so that one vector register holds one value of
// each. A panel is a sequence of blocks along K; inside, codes stand in quads: [quad][16 outputs][4
// inputs], one quad of each output per 64 bytes, as vpdpbusd multiplies them. Codes are
// unsigned; `zero` is subtracted exactly, in integers:
//   w = scale * (code - zero) - min
// A panel has 0 to 6 % more bytes than the file format (scales unpacked to whole bytes).
#pragma once

#include <stdint.h>

#include "backend/arithmetic.h"
#include "backend/code_tables.h"

namespace cachalot::cpu {

constexpr int kPanelOutputs = 16;
constexpr int kHalfs = kPanelOutputs * 2;                // bytes of one f16 for each output
constexpr int kCodeBytes = kPanelOutputs * kQuantBlock;  // a byte per code, 32 inputs

// Q8_0, 32 inputs: f16 scale[16]; u8 code[8 quads][16][4], code = q + 128.
struct PackedQ8_0 {
  static constexpr int kInputs = 32, kZero = 128;
  static constexpr int kScales = 0, kCodes = kScales + kHalfs, kBytes = kCodes + kCodeBytes;
};

// Q4_0, 32 inputs: f16 scale[16]; nibbles [4][64]: byte row i holds quad i (low) and quad i + 4
// (high).
struct PackedQ4_0 {
  static constexpr int kInputs = 32, kZero = 8;
  static constexpr int kScales = 0, kCodes = kScales + kHalfs, kBytes = kCodes + kCodeBytes / 2;
};

// Q4_1, 32 inputs: f16 scale[16], min[16]; nibbles as in Q4_0.
struct PackedQ4_1 {
  static constexpr int kInputs = 32, kZero = 0;
  static constexpr int kScales = 0, kMins = kScales + kHalfs, kCodes = kMins + kHalfs,
                       kBytes = kCodes + kCodeBytes / 2;
};

// Q5_0, 32 inputs: Q4_0 plus the fifth bits, [8 quads] masks of 64 bits, bit = byte of the quad.
struct PackedQ5_0 {
  static constexpr int kInputs = 32, kZero = 16;
  static constexpr int kHighBits = PackedQ4_0::kBytes, kBytes = kHighBits + 8 * 8;
};

// Q5_1, 32 inputs: Q4_1 plus the fifth bits.
struct PackedQ5_1 {
  static constexpr int kInputs = 32, kZero = 0;
  static constexpr int kHighBits = PackedQ4_1::kBytes, kBytes = kHighBits + 8 * 8;
};

// IQ4_NL, 32 inputs: as Q4_0; a nibble n stands for kIq4Values[n].
struct PackedIQ4_NL : PackedQ4_0 {
  static constexpr int kZero = 128;
};

// Q4_K, 256 inputs: f16 d[16], dmin[16]; u8 scale[8][16], min[8][16]; nibbles [8][4][64] as in
// Q4_0.
struct PackedQ4_K {
  static constexpr int kInputs = 256, kZero = 0;
  static constexpr int kD = 0, kDmin = kD + kHalfs, kScales = kDmin + kHalfs,
                       kMins = kScales + 8 * kPanelOutputs, kCodes = kMins + 8 * kPanelOutputs,
                       kBytes = kCodes + 8 * kCodeBytes / 2;
};

// Q5_K: Q4_K plus the fifth bits, [8 blocks][8 quads] masks of 64 bits, bit = byte of the quad.
struct PackedQ5_K {
  static constexpr int kInputs = 256, kZero = 0;
  static constexpr int kHighBits = PackedQ4_K::kBytes, kBytes = kHighBits + 8 * 8 * 8;
};

// Q2_K, 256 inputs: f16 d[16], dmin[16]; u8 scale | min << 4 [16][16]; 2-bit codes [16 groups of 16
// inputs][64]: bits 2j of a byte belong to quad j of its group.
struct PackedQ2_K {
  static constexpr int kInputs = 256, kZero = 0;
  static constexpr int kD = 0, kDmin = kD + kHalfs, kScales = kDmin + kHalfs,
                       kCodes = kScales + 16 * kPanelOutputs, kBytes = kCodes + 16 * 64;
};

// Q3_K, 256 inputs: f16 d[16]; i8 scale[16][16]; 2-bit codes as in Q2_K; third bits, [64 quads]
// masks.
struct PackedQ3_K {
  static constexpr int kInputs = 256, kZero = 4;
  static constexpr int kD = 0, kScales = kD + kHalfs, kCodes = kScales + 16 * kPanelOutputs,
                       kHighBits = kCodes + 16 * 64, kBytes = kHighBits + 64 * 8;
};

// Q6_K, 256 inputs: f16 d[16]; i8 scale[16][16]; nibbles [8][4][64]; upper two bits as codes of
// Q2_K.
struct PackedQ6_K {
  static constexpr int kInputs = 256, kZero = 32;
  static constexpr int kD = 0, kScales = kD + kHalfs, kCodes = kScales + 16 * kPanelOutputs,
                       kHighPairs = kCodes + 8 * kCodeBytes / 2, kBytes = kHighPairs + 16 * 64;
};

// IQ4_XS, 256 inputs: f16 d[16]; i8 scale[8][16]; nibbles [8][4][64] that stand for kIq4Values.
struct PackedIQ4_XS {
  static constexpr int kInputs = 256, kZero = 128;
  static constexpr int kD = 0, kScales = kD + kHalfs, kCodes = kScales + 8 * kPanelOutputs,
                       kBytes = kCodes + 8 * kCodeBytes / 2;
};

// IQ2_XXS, 256 inputs: f16 d[16]; u8 scale pairs [4][16] (block 2i low, 2i + 1 high nibble); then
// for each block of 32 inputs: u8 grid index [16][4 groups of 8 inputs]; u8 signs [16][4 inputs of
// a quad], a bit per quad, set = negative. code = 64 +- grid.
struct PackedIQ2_XXS {
  static constexpr int kInputs = 256, kZero = 64;
  static constexpr int kD = 0, kScales = kD + kHalfs, kBlocks = kScales + 4 * kPanelOutputs,
                       kBlockBytes = 8 * kPanelOutputs, kBytes = kBlocks + 8 * kBlockBytes;
};

/** The signs of eight inputs of IQ2_XXS, a bit each, from an output's four bytes of a block. */
static inline int iq2_xxs_signs(const uint8_t* signs, int group) {
  uint32_t all;
  __builtin_memcpy(&all, signs, 4);
  constexpr uint32_t kEvery8 = 0x01010101, kToTop = 0x10204080;  // bit 8 i to bit 28 + i
  const uint32_t first = (all >> 2 * group & kEvery8) * kToTop >> 28,
                 second = (all >> (2 * group + 1) & kEvery8) * kToTop >> 28;
  return static_cast<int>(first | second << 4);
}

}  // namespace cachalot::cpu
