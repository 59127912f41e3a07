// Packed weights -> registers: 32 inputs of 16 outputs as 8 quads of unsigned bytes, with the
// scales of each output. One struct per type; `linear_panels.cpp` is the loop around them. Layouts:
// device/packed.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "cpu/device/packed.h"

namespace cachalot::cpu::avx512 {

/** 32 inputs of 16 outputs: w = scale * (code - kZero) - min. Scales and minima are per 32 inputs,
 * or per 16 when there are two groups. */
template <int kGroups, bool kHasMin>
struct CodesOf {
  __m512i quads[8];
  __m512 scale[kGroups];
  __m512 min[kHasMin ? kGroups : 1];
};

/** The properties of a codec. */
template <class Packed, int kGroupsOf32, bool kMin>
struct Gives : Packed {
  static constexpr int kGroups = kGroupsOf32, kOffset = Packed::kZero, kStripsPerPanel = 1;
  static constexpr bool kHasMin = kMin, kSigned = false;
  static constexpr int kSummable = 8;     // quads in a row: no sum of products overflows
  static constexpr int kUnpackFrom = 12;  // rows from which it pays to unpack codes into memory
  using Codes = CodesOf<kGroups, kHasMin>;
};

static inline __m512 load_halfs(const uint8_t* bytes) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
}

static inline __m512 load_bytes(const uint8_t* bytes) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))));
}

constexpr int kUnpackNibblesFrom = 48;  // rows: they cost little each time

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

/** Nibbles -> their values in IQ4_NL and IQ4_XS. */
static inline void look_up_iq4(__m512i* quads) {
  const __m512i values =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kIq4Values)));
  for (int i = 0; i < 8; i++) quads[i] = _mm512_shuffle_epi8(values, quads[i]);
}

struct Q8_0 : Gives<PackedQ8_0, 1, false> {
  static constexpr int kUnpackFrom = 1 << 30;  // they lie in the panel as they are used
  void load(const uint8_t* block, int /*sub*/, int /*strip*/, Codes& out) const {
    for (int i = 0; i < 8; i++) out.quads[i] = _mm512_loadu_si512(block + kCodes + 64 * i);
    out.scale[0] = load_halfs(block + kScales);
  }
};

struct Q4_0 : Gives<PackedQ4_0, 1, false> {
  static constexpr int kUnpackFrom = kUnpackNibblesFrom;
  void load(const uint8_t* block, int /*sub*/, int /*strip*/, Codes& out) const {
    load_nibbles(block + kCodes, out.quads);
    out.scale[0] = load_halfs(block + kScales);
  }
};

struct Q4_1 : Gives<PackedQ4_1, 1, true> {
  static constexpr int kUnpackFrom = kUnpackNibblesFrom;
  void load(const uint8_t* block, int /*sub*/, int /*strip*/, Codes& out) const {
    load_nibbles(block + kCodes, out.quads);
    out.scale[0] = load_halfs(block + kScales);
    out.min[0] = load_halfs(block + kMins);
  }
};

struct Q5_0 : Gives<PackedQ5_0, 1, false> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    Q4_0().load(block, sub, 0, out);
    add_high_bits(block + kHighBits, 16, out.quads);
  }
};

struct Q5_1 : Gives<PackedQ5_1, 1, true> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    Q4_1().load(block, sub, 0, out);
    add_high_bits(block + kHighBits, 16, out.quads);
  }
};

struct IQ4_NL : Gives<PackedIQ4_NL, 1, false> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    Q4_0().load(block, sub, 0, out);
    look_up_iq4(out.quads);
  }
};

struct Q4_K : Gives<PackedQ4_K, 1, true> {
  static constexpr int kUnpackFrom = kUnpackNibblesFrom;
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    const int scales = sub * kPanelOutputs;
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, out.quads);
    out.scale[0] = _mm512_mul_ps(load_halfs(block + kD), load_bytes(block + kScales + scales));
    out.min[0] = _mm512_mul_ps(load_halfs(block + kDmin), load_bytes(block + kMins + scales));
  }
};

struct Q5_K : Gives<PackedQ5_K, 1, true> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    Q4_K().load(block, sub, 0, out);
    add_high_bits(block + kHighBits + 64 * sub, 16, out.quads);
  }
};

struct IQ4_XS : Gives<PackedIQ4_XS, 1, false> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, out.quads);
    look_up_iq4(out.quads);
    const __m512 scale = load_signed(block + kScales + sub * kPanelOutputs);
    out.scale[0] = _mm512_mul_ps(load_halfs(block + kD), scale);
  }
};

struct Q2_K : Gives<PackedQ2_K, 2, true> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
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

struct Q3_K : Gives<PackedQ3_K, 2, false> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    for (int half = 0; half < 2; half++) {
      const int group = 2 * sub + half;
      load_pairs(block + kCodes + 64 * group, out.quads + 4 * half);
      const __m512 scale = load_signed(block + kScales + group * kPanelOutputs);
      out.scale[half] = _mm512_mul_ps(load_halfs(block + kD), scale);
    }
    add_high_bits(block + kHighBits + 64 * sub, 4, out.quads);
  }
};

struct Q6_K : Gives<PackedQ6_K, 2, false> {
  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
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

// All 64 lattice points of a block are looked up at once: low and high bytes of the 256 words are
// four registers each, for vpermi2b. A low byte has the two-bit codes of a quad's inputs, a high
// one those of the next quad. vpmultishiftqb brings each code to its byte, the sign joins it there,
// and vpermb, which sees six bits of an index, of which the table ignores three, makes it a value.
struct IQ2_XXS : Gives<PackedIQ2_XXS, 1, false> {
  __m512i low[4], high[4];                                 // bytes of kIq2XxsGrid
  __m512i values = _mm512_set1_epi64(0x00152738006b5948);  // 64 + {8, 25, 43}, 64 - {8, 25, 43}
  __m512 scales;                                           // (i + 1/2) / 4

  IQ2_XXS() {
    float quarters[16];
    for (int i = 0; i < 16; i++) quarters[i] = (static_cast<float>(i) + 0.5f) / 4;
    scales = _mm512_loadu_ps(quarters);
    uint8_t bytes[2][256];
    for (int i = 0; i < 256; i++) {
      bytes[0][i] = static_cast<uint8_t>(kIq2XxsGrid[i]);
      bytes[1][i] = static_cast<uint8_t>(kIq2XxsGrid[i] >> 8);
    }
    for (int i = 0; i < 4; i++) {
      low[i] = _mm512_loadu_si512(bytes[0] + 64 * i);
      high[i] = _mm512_loadu_si512(bytes[1] + 64 * i);
    }
  }

  static __m512i look_up(const __m512i (&table)[4], __m512i index, __mmask64 upper) {
    return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(table[0], index, table[1]),
                                  _mm512_permutex2var_epi8(table[2], index, table[3]));
  }

  /** Codes of a quad: of byte `group` of each output's four. */
  template <int kQuad>
  __m512i quad(__m512i bytes, __m512i signs) const {
    constexpr int64_t kGroup = kQuad / 2 * 8, kTwoOutputs = 0x2624222006040200;
    const __m512i codes = _mm512_multishift_epi64_epi8(
        _mm512_set1_epi64(kTwoOutputs + kGroup * 0x0101010101010101), bytes);
    const __m512i own = kQuad < 2 ? _mm512_slli_epi16(signs, kQuad < 2 ? 2 - kQuad : 0)
                                  : _mm512_srli_epi16(signs, kQuad < 2 ? 0 : kQuad - 2);
    constexpr int kSecondWhereThird = 0xd8;
    return _mm512_permutexvar_epi8(
        _mm512_ternarylogic_epi32(codes, own, _mm512_set1_epi8(4), kSecondWhereThird), values);
  }

  void load(const uint8_t* block, int sub, int /*strip*/, Codes& out) const {
    const uint8_t* bytes = block + kBlocks + sub * kBlockBytes;
    const __m512i index = _mm512_loadu_si512(bytes),
                  signs = _mm512_loadu_si512(bytes + 4 * kPanelOutputs);
    const __mmask64 upper = _mm512_movepi8_mask(index);
    const __m512i lows = look_up(low, index, upper), highs = look_up(high, index, upper);
    out.quads[0] = quad<0>(lows, signs), out.quads[1] = quad<1>(highs, signs);
    out.quads[2] = quad<2>(lows, signs), out.quads[3] = quad<3>(highs, signs);
    out.quads[4] = quad<4>(lows, signs), out.quads[5] = quad<5>(highs, signs);
    out.quads[6] = quad<6>(lows, signs), out.quads[7] = quad<7>(highs, signs);
    const __m512i pairs = _mm512_cvtepu8_epi32(_mm_loadu_si128(
        reinterpret_cast<const __m128i*>(block + kScales + sub / 2 * kPanelOutputs)));
    // vpermps sees four bits of an index.
    const __m512i nibble = _mm512_srl_epi32(pairs, _mm_cvtsi32_si128(4 * (sub % 2)));
    out.scale[0] = _mm512_mul_ps(load_halfs(block + kD), _mm512_permutexvar_ps(nibble, scales));
  }
};

}  // namespace cachalot::cpu::avx512
