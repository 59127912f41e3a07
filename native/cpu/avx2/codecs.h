// Packed weights -> registers: 32 inputs of 8 outputs - half a panel - as 8 quads of bytes, with
// the scales of each output. One struct per type; `linear_panels.cpp` is the loop around them.
// Layouts: device/packed.h.
#pragma once

#include <immintrin.h>
#include <stdint.h>

#include "cpu/device/packed.h"

namespace cachalot::cpu::avx2 {

// Within one translation unit: with VNNI the same names mean something else.
namespace {

/** 32 inputs of 8 outputs: w = scale * (code - kOffset) - min. Scales and minima are per 32 inputs,
 * or per 16 when there are two groups. Codes are unsigned and, without VNNI, below 128; or, when
 * kSigned, signed with kZero already taken off. */
template <int kGroups, bool kHasMin>
struct CodesOf {
  __m256i quads[8];
  __m256 scale[kGroups];
  __m256 min[kHasMin ? kGroups : 1];
};

/** The properties of a codec. */
template <class Packed, int kGroupsOf32, bool kMin, int kLargest>
struct Gives : Packed {
  static constexpr bool kWide = kLargest > 127;
  /** Quads whose pairs of products fit into 16 bits together: 1, 2, 4 or 8. */
  static constexpr int kPairSum = 2 * 127 * (kWide ? 128 : kLargest), kMost = 32767 / kPairSum;
  static constexpr int kSummable = kMost >= 8 ? 8 : kMost >= 4 ? 4 : kMost >= 2 ? 2 : 1;
#ifdef CACHALOT_AVXVNNI
  static constexpr bool kSigned = false;
#else
  static constexpr bool kSigned = kWide;
#endif
  static constexpr bool kHasMin = kMin;
  static constexpr int kGroups = kGroupsOf32, kOffset = kSigned ? 0 : Packed::kZero;
  static constexpr int kStripsPerPanel = 2;
  static constexpr int kUnpackFrom = 12;  // rows from which it pays to unpack codes into memory
  using Codes = CodesOf<kGroups, kHasMin>;

  /** Codes of up to 255, as they are multiplied. */
  static __m256i wide(__m256i codes) {
    return kSigned ? _mm256_xor_si256(codes, _mm256_set1_epi8(-128)) : codes;
  }
};

constexpr int kHalfOutputs = kPanelOutputs / 2;

static inline __m256i load_row(const uint8_t* row, int half) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 32 * half));
}

static inline __m256 load_halfs(const uint8_t* bytes, int half) {
  return _mm256_cvtph_ps(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 2 * kHalfOutputs * half)));
}

static inline __m128i load_8(const uint8_t* bytes, int half) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes + kHalfOutputs * half));
}

static inline __m256 load_bytes(const uint8_t* bytes, int half) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load_8(bytes, half)));
}

static inline __m256 load_signed(const uint8_t* bytes, int half) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_8(bytes, half)));
}

/** 4 rows of nibbles -> 8 quads. */
static inline void load_nibbles(const uint8_t* bytes, int half, __m256i* quads) {
  const __m256i low = _mm256_set1_epi8(15);
  for (int i = 0; i < 4; i++) {
    const __m256i both = load_row(bytes + 64 * i, half);
    quads[i] = _mm256_and_si256(both, low);
    quads[i + 4] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
  }
}

/** Bytes of -1 where the mask of a quad has a bit. */
static inline __m256i load_mask(const uint8_t* masks, int quad, int half) {
  const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  int32_t mask;
  __builtin_memcpy(&mask, masks + 8 * quad + 4 * half, 4);
  const __m256i own = _mm256_shuffle_epi8(_mm256_set1_epi32(mask), spread);
  return _mm256_cmpeq_epi8(_mm256_and_si256(own, bit), bit);
}

/** quads += value where the masks of 8 quads have a bit. */
static inline void add_high_bits(const uint8_t* masks, int half, char value, __m256i* quads) {
  for (int i = 0; i < 8; i++) {
    const __m256i set = load_mask(masks, i, half);
    quads[i] = _mm256_add_epi8(quads[i], _mm256_and_si256(set, _mm256_set1_epi8(value)));
  }
}

/** A row of bit pairs -> 4 quads. */
static inline void load_pairs(const uint8_t* bytes, int half, __m256i* quads) {
  const __m256i codes = load_row(bytes, half);
  for (int j = 0; j < 4; j++) {
    quads[j] =
        _mm256_and_si256(_mm256_srl_epi16(codes, _mm_cvtsi32_si128(2 * j)), _mm256_set1_epi8(3));
  }
}

/** Nibbles -> their values in IQ4_NL and IQ4_XS. */
template <class Codec>
static inline void look_up_iq4(__m256i* quads) {
  const __m256i values =
      _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(kIq4Values)));
  for (int i = 0; i < 8; i++) quads[i] = Codec::wide(_mm256_shuffle_epi8(values, quads[i]));
}

struct Q8_0 : Gives<PackedQ8_0, 1, false, 255> {
  static constexpr int kUnpackFrom = 1 << 30;  // they lie in the panel as they are used
  void load(const uint8_t* block, int /*sub*/, int half, Codes& out) const {
    for (int i = 0; i < 8; i++) out.quads[i] = wide(load_row(block + kCodes + 64 * i, half));
    out.scale[0] = load_halfs(block + kScales, half);
  }
};

struct Q4_0 : Gives<PackedQ4_0, 1, false, 15> {
  void load(const uint8_t* block, int /*sub*/, int half, Codes& out) const {
    load_nibbles(block + kCodes, half, out.quads);
    out.scale[0] = load_halfs(block + kScales, half);
  }
};

struct Q4_1 : Gives<PackedQ4_1, 1, true, 15> {
  void load(const uint8_t* block, int /*sub*/, int half, Codes& out) const {
    load_nibbles(block + kCodes, half, out.quads);
    out.scale[0] = load_halfs(block + kScales, half);
    out.min[0] = load_halfs(block + kMins, half);
  }
};

struct Q5_0 : Gives<PackedQ5_0, 1, false, 31> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    Q4_0().load(block, sub, half, out);
    add_high_bits(block + kHighBits, half, 16, out.quads);
  }
};

struct Q5_1 : Gives<PackedQ5_1, 1, true, 31> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    Q4_1().load(block, sub, half, out);
    add_high_bits(block + kHighBits, half, 16, out.quads);
  }
};

struct IQ4_NL : Gives<PackedIQ4_NL, 1, false, 241> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    Q4_0().load(block, sub, half, out);
    look_up_iq4<IQ4_NL>(out.quads);
  }
};

struct Q4_K : Gives<PackedQ4_K, 1, true, 15> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    const int at = sub * kPanelOutputs;
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, half, out.quads);
    out.scale[0] =
        _mm256_mul_ps(load_halfs(block + kD, half), load_bytes(block + kScales + at, half));
    out.min[0] =
        _mm256_mul_ps(load_halfs(block + kDmin, half), load_bytes(block + kMins + at, half));
  }
};

struct Q5_K : Gives<PackedQ5_K, 1, true, 31> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    Q4_K().load(block, sub, half, out);
    add_high_bits(block + kHighBits + 64 * sub, half, 16, out.quads);
  }
};

struct IQ4_XS : Gives<PackedIQ4_XS, 1, false, 241> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, half, out.quads);
    look_up_iq4<IQ4_XS>(out.quads);
    const __m256 scale = load_signed(block + kScales + sub * kPanelOutputs, half);
    out.scale[0] = _mm256_mul_ps(load_halfs(block + kD, half), scale);
  }
};

struct Q2_K : Gives<PackedQ2_K, 2, true, 3> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    for (int part = 0; part < 2; part++) {
      const int group = 2 * sub + part;
      load_pairs(block + kCodes + 64 * group, half, out.quads + 4 * part);
      const __m256i packed =
          _mm256_cvtepu8_epi32(load_8(block + kScales + group * kPanelOutputs, half));
      const __m256 scale = _mm256_cvtepi32_ps(_mm256_and_si256(packed, _mm256_set1_epi32(15)));
      const __m256 min = _mm256_cvtepi32_ps(_mm256_srli_epi32(packed, 4));
      out.scale[part] = _mm256_mul_ps(load_halfs(block + kD, half), scale);
      out.min[part] = _mm256_mul_ps(load_halfs(block + kDmin, half), min);
    }
  }
};

struct Q3_K : Gives<PackedQ3_K, 2, false, 7> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    for (int part = 0; part < 2; part++) {
      const int group = 2 * sub + part;
      load_pairs(block + kCodes + 64 * group, half, out.quads + 4 * part);
      const __m256 scale = load_signed(block + kScales + group * kPanelOutputs, half);
      out.scale[part] = _mm256_mul_ps(load_halfs(block + kD, half), scale);
    }
    add_high_bits(block + kHighBits + 64 * sub, half, 4, out.quads);
  }
};

struct Q6_K : Gives<PackedQ6_K, 2, false, 63> {
  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    load_nibbles(block + kCodes + sub * kCodeBytes / 2, half, out.quads);
    for (int part = 0; part < 2; part++) {
      const int group = 2 * sub + part;
      __m256i high[4];
      load_pairs(block + kHighPairs + 64 * group, half, high);
      for (int j = 0; j < 4; j++) {
        __m256i& quad = out.quads[4 * part + j];
        quad = _mm256_or_si256(quad, _mm256_slli_epi16(high[j], 4));  // two bits: no carry between
      }
      const __m256 scale = load_signed(block + kScales + group * kPanelOutputs, half);
      out.scale[part] = _mm256_mul_ps(load_halfs(block + kD, half), scale);
    }
  }
};

// Points come from a table of 256 eight-byte entries, loaded one by one: gathers of the same took
// more than twice as long (TinyLlama, one thread: 7 against 17 tokens/s).
struct IQ2_XXS : Gives<PackedIQ2_XXS, 1, false, 107> {
  static constexpr int kUnpackFrom = 2;
  struct Points {
    int64_t of[256];

    Points() {
      for (int entry = 0; entry < 256; entry++) {
        uint8_t point[8];
        for (int i = 0; i < 8; i++) {
          const int code = kIq2XxsGrid[entry] >> (2 * i) & 3;
          point[i] = code == 0 ? 8 : code == 1 ? 25 : 43;
        }
        __builtin_memcpy(&of[entry], point, 8);
      }
    }
  };
  const int64_t* points;

  IQ2_XXS() {
    static const Points made;
    points = made.of;
  }

  /** Eight points each of outputs a, a + 1 and a + 4, a + 5. `index`: of the first output. */
  __m256 points_of(const uint8_t* index, int a) const {
    return _mm256_castsi256_ps(_mm256_setr_epi64x(points[index[4 * a]], points[index[4 * a + 4]],
                                                  points[index[4 * a + 16]],
                                                  points[index[4 * a + 20]]));
  }

  /** Points of a quad, with their signs, plus kZero. */
  template <int kQuad>
  static __m256i codes(__m256 points_of_quad, __m256i signs) {
    const __m256i own = _mm256_or_si256(_mm256_slli_epi16(signs, 7 - kQuad), _mm256_set1_epi8(1));
    return _mm256_add_epi8(_mm256_sign_epi8(_mm256_castps_si256(points_of_quad), own),
                           _mm256_set1_epi8(kZero));
  }

  template <int kGroup>
  void load_group(const uint8_t* index, __m256i signs, Codes& out) const {
    const __m256 a = points_of(index + kGroup, 0), b = points_of(index + kGroup, 2);
    out.quads[2 * kGroup] = codes<2 * kGroup>(_mm256_shuffle_ps(a, b, 0x88), signs);
    out.quads[2 * kGroup + 1] = codes<2 * kGroup + 1>(_mm256_shuffle_ps(a, b, 0xdd), signs);
  }

  void load(const uint8_t* block, int sub, int half, Codes& out) const {
    const uint8_t* index = block + kBlocks + sub * kBlockBytes + 4 * kHalfOutputs * half;
    const __m256i signs =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index + 4 * kPanelOutputs));
    load_group<0>(index, signs, out), load_group<1>(index, signs, out);
    load_group<2>(index, signs, out), load_group<3>(index, signs, out);
    const __m256i pairs =
        _mm256_cvtepu8_epi32(load_8(block + kScales + sub / 2 * kPanelOutputs, half));
    const __m256i nibble = _mm256_and_si256(
        _mm256_srl_epi32(pairs, _mm_cvtsi32_si128(4 * (sub % 2))), _mm256_set1_epi32(15));
    // (scale + 1/2) / 4 = (2 scale + 1) / 8
    const __m256 scale = _mm256_cvtepi32_ps(
        _mm256_add_epi32(_mm256_add_epi32(nibble, nibble), _mm256_set1_epi32(1)));
    const __m256 d = _mm256_mul_ps(load_halfs(block + kD, half), _mm256_set1_ps(0.125f));
    out.scale[0] = _mm256_mul_ps(d, scale);
  }
};

}  // namespace

}  // namespace cachalot::cpu::avx2
