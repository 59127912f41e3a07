// Packed weights -> registers: 32 inputs of 16 outputs as 8 quads of unsigned bytes, with the
// scales of each output. One struct per type; `linear_panels.cpp` is the loop around them. Layouts:
// device/packed.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "cpu/device/packed.h"

namespace cachalot::cpu::avx512 {

/** w = scale * (code - kZero) - min. Scales and minima are per 32 inputs, or per 16 when kGroups
 * is 2. */
struct Codes {
  __m512i quads[8];
  __m512 scale[2];
  __m512 min[2];
};

static inline __m512 load_halfs(const uint8_t* bytes) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
}

static inline __m512 load_bytes(const uint8_t* bytes) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
}

/** 4 x 64 bytes of nibbles -> 8 quads. */
static inline void load_nibbles(const uint8_t* bytes, __m512i* quads) {
  const __m512i low = _mm512_set1_epi8(15);
  for (int i = 0; i < 4; i++) {
    const __m512i both = _mm512_loadu_si512(bytes + 64 * i);
    quads[i] = _mm512_and_si512(both, low);
    quads[i + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
  }
}

static inline __m512 load_signed(const uint8_t* bytes) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
}

/** quads |= bit for the 64-bit masks of 8 quads. */
static inline void add_high_bits(const uint8_t* masks, char bit, __m512i* quads) {
  for (int i = 0; i < 8; i++) {
    uint64_t mask;
    __builtin_memcpy(&mask, masks + 8 * i, 8);
    quads[i] = _mm512_mask_add_epi8(quads[i], mask, quads[i], _mm512_set1_epi8(bit));
  }
}

/** 64 bytes of bit pairs -> 4 quads. */
static inline void load_pairs(const uint8_t* bytes, __m512i* quads) {
  const __m512i codes = _mm512_loadu_si512(bytes);
  for (int j = 0; j < 4; j++) {
    quads[j] =
        _mm512_and_si512(_mm512_srl_epi16(codes, _mm_cvtsi32_si128(2 * j)), _mm512_set1_epi8(3));
  }
}

/** Nibbles -> what they stand for in IQ4_NL and IQ4_XS. */
static inline void look_up_iq4(__m512i* quads) {
  const __m512i values =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kIq4Values)));
  for (int i = 0; i < 8; i++) quads[i] = _mm512_shuffle_epi8(values, quads[i]);
}

struct Q8_0 : PackedQ8_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int /*sub*/, Codes& out) const {
    for (int i = 0; i < 8; i++) out.quads[i] = _mm512_loadu_si512(block + kCodes + 64 * i);
    out.scale[0] = load_halfs(block + kScales);
  }
};

struct Q4_0 : PackedQ4_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int /*sub*/, Codes& out) const {
    load_nibbles(block + kCodes, out.quads);
    out.scale[0] = load_halfs(block + kScales);
  }
};

struct Q4_1 : PackedQ4_1 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  void load(const uint8_t* block, int /*sub*/, Codes& out) const {
    load_nibbles(block + kCodes, out.quads);
    out.scale[0] = load_halfs(block + kScales);
    out.min[0] = load_halfs(block + kMins);
  }
};

struct Q5_0 : PackedQ5_0 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int sub, Codes& out) const {
    Q4_0().load(block, sub, out);
    add_high_bits(block + kHighBits, 16, out.quads);
  }
};

struct Q5_1 : PackedQ5_1 {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  void load(const uint8_t* block, int sub, Codes& out) const {
    Q4_1().load(block, sub, out);
    add_high_bits(block + kHighBits, 16, out.quads);
  }
};

struct IQ4_NL : PackedIQ4_NL {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int sub, Codes& out) const {
    Q4_0().load(block, sub, out);
    look_up_iq4(out.quads);
  }
};

struct Q4_K : PackedQ4_K {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  void load(const uint8_t* block, int sub, Codes& out) const {
    const int scales = sub * kPanelOutputs;
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, out.quads);
    out.scale[0] = _mm512_mul_ps(load_halfs(block + kD), load_bytes(block + kScales + scales));
    out.min[0] = _mm512_mul_ps(load_halfs(block + kDmin), load_bytes(block + kMins + scales));
  }
};

struct Q5_K : PackedQ5_K {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = true;
  void load(const uint8_t* block, int sub, Codes& out) const {
    Q4_K().load(block, sub, out);
    add_high_bits(block + kHighBits + 64 * sub, 16, out.quads);
  }
};

struct IQ4_XS : PackedIQ4_XS {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int sub, Codes& out) const {
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, out.quads);
    look_up_iq4(out.quads);
    const __m512 scale = load_signed(block + kScales + sub * kPanelOutputs);
    out.scale[0] = _mm512_mul_ps(load_halfs(block + kD), scale);
  }
};

struct Q2_K : PackedQ2_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = true;
  void load(const uint8_t* block, int sub, Codes& out) const {
    for (int half = 0; half < 2; half++) {
      const int group = 2 * sub + half;
      load_pairs(block + kCodes + 64 * group, out.quads + 4 * half);
      const __m512i packed = _mm512_cvtepu8_epi32(_mm_loadu_si128(
          reinterpret_cast<const __m128i*>(block + kScales + group * kPanelOutputs)));
      const __m512 scale = _mm512_cvtepi32_ps(_mm512_and_si512(packed, _mm512_set1_epi32(15)));
      const __m512 min = _mm512_cvtepi32_ps(_mm512_srli_epi32(packed, 4));
      out.scale[half] = _mm512_mul_ps(load_halfs(block + kD), scale);
      out.min[half] = _mm512_mul_ps(load_halfs(block + kDmin), min);
    }
  }
};

struct Q3_K : PackedQ3_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int sub, Codes& out) const {
    for (int half = 0; half < 2; half++) {
      const int group = 2 * sub + half;
      load_pairs(block + kCodes + 64 * group, out.quads + 4 * half);
      const __m512 scale = load_signed(block + kScales + group * kPanelOutputs);
      out.scale[half] = _mm512_mul_ps(load_halfs(block + kD), scale);
    }
    add_high_bits(block + kHighBits + 64 * sub, 4, out.quads);
  }
};

struct Q6_K : PackedQ6_K {
  static constexpr int kGroups = 2;
  static constexpr bool kHasMin = false;
  void load(const uint8_t* block, int sub, Codes& out) const {
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, out.quads);
    for (int half = 0; half < 2; half++) {
      const int group = 2 * sub + half;
      __m512i high[4];
      load_pairs(block + kHighPairs + 64 * group, high);
      for (int j = 0; j < 4; j++) {
        __m512i& quad = out.quads[4 * half + j];
        quad = _mm512_or_si512(quad, _mm512_slli_epi16(high[j], 4));  // two bits: no carry between
      }
      const __m512 scale = load_signed(block + kScales + group * kPanelOutputs);
      out.scale[half] = _mm512_mul_ps(load_halfs(block + kD), scale);
    }
  }
};

// The lattice is looked up with permutes: 256 words of 16 bits are eight registers, kept across the
// loop. A word is spread over eight bytes by vpmultishiftqb, and its two-bit codes become values by
// vpshufb, once with the positive and, under the sign mask, once with the negative points.
struct IQ2_XXS : PackedIQ2_XXS {
  static constexpr int kGroups = 1;
  static constexpr bool kHasMin = false;
  __m512i grid[8];

  IQ2_XXS() {
    for (int i = 0; i < 8; i++) grid[i] = _mm512_loadu_si512(kIq2XxsGrid + 32 * i);
  }

  /** 32 lattice indices -> 32 words. */
  __m512i look_up(__m512i index) const {
    const __mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(64));
    const __mmask32 bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(128));
    const __m512i a = _mm512_permutex2var_epi16(grid[0], index, grid[1]);
    const __m512i b = _mm512_permutex2var_epi16(grid[2], index, grid[3]);
    const __m512i c = _mm512_permutex2var_epi16(grid[4], index, grid[5]);
    const __m512i d = _mm512_permutex2var_epi16(grid[6], index, grid[7]);
    return _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, a, b),
                                   _mm512_mask_blend_epi16(bit6, c, d));
  }

  /** 8 words, one per output -> 8 codes each, 64 +- the lattice point. */
  static __m512i spread(__m128i words, uint64_t negative) {
    const __m512i shifts = _mm512_set1_epi64(0x0e0c0a0806040200);
    const __m512i positive_points = _mm512_set1_epi32(0x006b5948);  // 64 + {8, 25, 43}
    const __m512i negative_points = _mm512_set1_epi32(0x00152738);  // 64 - {8, 25, 43}
    const __m512i fields = _mm512_multishift_epi64_epi8(shifts, _mm512_cvtepu16_epi64(words));
    const __m512i codes = _mm512_and_si512(fields, _mm512_set1_epi8(3));
    return _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(positive_points, codes), negative,
                                    negative_points, codes);
  }

  void load(const uint8_t* block, int sub, Codes& out) const {
    const uint8_t* bytes = block + kBlocks + sub * kBlockBytes;
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    uint64_t signs[8];
    __builtin_memcpy(signs, bytes + 4 * kPanelOutputs, sizeof signs);
    for (int pair = 0; pair < 2; pair++) {
      const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32 * pair));
      const __m512i words = look_up(_mm512_cvtepu8_epi16(index));
      const __m128i w[4] = {_mm512_castsi512_si128(words), _mm512_extracti32x4_epi32(words, 1),
                            _mm512_extracti32x4_epi32(words, 2),
                            _mm512_extracti32x4_epi32(words, 3)};
      for (int i = 0; i < 2; i++) {
        const int group = 2 * pair + i;
        const __m512i low = spread(w[2 * i], signs[2 * group]);           // outputs 0..7
        const __m512i high = spread(w[2 * i + 1], signs[2 * group + 1]);  // outputs 8..15
        out.quads[2 * group] = _mm512_permutex2var_epi32(low, even, high);
        out.quads[2 * group + 1] = _mm512_permutex2var_epi32(low, odd, high);
      }
    }
    const __m512i pairs = _mm512_cvtepu8_epi32(_mm_loadu_si128(
        reinterpret_cast<const __m128i*>(block + kScales + sub / 2 * kPanelOutputs)));
    const __m512i nibble = _mm512_and_si512(
        _mm512_srl_epi32(pairs, _mm_cvtsi32_si128(4 * (sub % 2))), _mm512_set1_epi32(15));
    // (scale + 1/2) / 4 = (2 scale + 1) / 8
    const __m512 scale = _mm512_cvtepi32_ps(
        _mm512_add_epi32(_mm512_add_epi32(nibble, nibble), _mm512_set1_epi32(1)));
    out.scale[0] =
        _mm512_mul_ps(_mm512_mul_ps(load_halfs(block + kD), _mm512_set1_ps(0.125f)), scale);
  }
};

}  // namespace cachalot::cpu::avx512
