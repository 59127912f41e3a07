#include "backend/block_codes.h"

#include <cstring>

#include "backend/code_tables.h"
#include "base/check.h"
#include "base/half.h"

namespace cachalot {

namespace {

/** A block of 32 has one scale, and one minimum if any. */
void read_plain_scale(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  out->scales[0] = 1;
  out->mins[0] = 1;
}

/** The same for types that add a minimum: w = d code + m. Ours is subtracted. */
void read_scale_and_offset(const uint8_t* block, BlockCodes* out) {
  read_plain_scale(block, out);
  out->dmin = load_u16(block + 2) ^ 0x8000;
}

// f16 d; i8 q[32]
void read_q8_0(const uint8_t* block, BlockCodes* out) {
  read_plain_scale(block, out);
  for (int i = 0; i < 32; i++) out->codes[i] = static_cast<uint8_t>(block[2 + i] ^ 0x80);
}

/** 16 bytes: low nibbles are elements 0..15, high nibbles 16..31. */
void read_32_nibbles(const uint8_t* q, uint8_t* codes) {
  for (int i = 0; i < 16; i++) {
    codes[i] = q[i] & 15;
    codes[i + 16] = q[i] >> 4;
  }
}

/** Bit i of 32 is the fifth bit of element i. */
void read_fifth_bits(const uint8_t* bits, uint8_t* codes) {
  const uint32_t high = load_u32(bits);
  for (int i = 0; i < 32; i++) codes[i] |= static_cast<uint8_t>((high >> i & 1) << 4);
}

// f16 d; nibbles. IQ4_NL is the same with a table behind its codes.
void read_q4_0(const uint8_t* block, BlockCodes* out) {
  read_plain_scale(block, out);
  read_32_nibbles(block + 2, out->codes);
}

// f16 d, m; nibbles
void read_q4_1(const uint8_t* block, BlockCodes* out) {
  read_scale_and_offset(block, out);
  read_32_nibbles(block + 4, out->codes);
}

// f16 d; 32 fifth bits; nibbles
void read_q5_0(const uint8_t* block, BlockCodes* out) {
  read_plain_scale(block, out);
  read_32_nibbles(block + 6, out->codes);
  read_fifth_bits(block + 2, out->codes);
}

// f16 d, m; 32 fifth bits; nibbles
void read_q5_1(const uint8_t* block, BlockCodes* out) {
  read_scale_and_offset(block, out);
  read_32_nibbles(block + 8, out->codes);
  read_fifth_bits(block + 4, out->codes);
}

// Eight 6-bit scales and eight 6-bit minima in 12 bytes: the first four of each in the low bits of
// bytes 0..3 and 4..7, the others in nibbles of bytes 8..11, with their upper two bits above those
// of the first four.
void read_k_scales(const uint8_t* packed, BlockCodes* out) {
  for (int i = 0; i < 4; i++) {
    out->scales[i] = static_cast<int8_t>(packed[i] & 63);
    out->mins[i] = packed[i + 4] & 63;
    out->scales[i + 4] = static_cast<int8_t>((packed[i + 8] & 15) | (packed[i] >> 6 << 4));
    out->mins[i + 4] = static_cast<uint8_t>((packed[i + 8] >> 4) | (packed[i + 4] >> 6 << 4));
  }
}

// f16 d, dmin; scales[12]; q[128]: each 32 bytes hold 64 elements, low nibbles first
void read_nibbles(const uint8_t* q, BlockCodes* out) {
  for (int chunk = 0; chunk < 4; chunk++) {
    for (int i = 0; i < 32; i++) {
      out->codes[64 * chunk + i] = q[32 * chunk + i] & 15;
      out->codes[64 * chunk + 32 + i] = q[32 * chunk + i] >> 4;
    }
  }
}

void read_q4_k(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  out->dmin = load_u16(block + 2);
  read_k_scales(block + 4, out);
  read_nibbles(block + 16, out);
}

// as Q4_K, with high[32] before q: bit b of byte i is the fifth bit of element 32 b + i
void read_q5_k(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  out->dmin = load_u16(block + 2);
  read_k_scales(block + 4, out);
  read_nibbles(block + 48, out);
  for (int i = 0; i < 256; i++)
    out->codes[i] |= static_cast<uint8_t>((block[16 + i % 32] >> (i / 32) & 1) << 4);
}

// scales[16]: scale | min << 4 per 16 elements; q[64]; f16 d, dmin. Each 32 bytes of q hold 128
// elements: four times 32, of two bits each.
void read_q2_k(const uint8_t* block, BlockCodes* out) {
  for (int i = 0; i < 16; i++) {
    out->scales[i] = static_cast<int8_t>(block[i] & 15);
    out->mins[i] = block[i] >> 4;
  }
  for (int i = 0; i < 256; i++) {
    const int half = i / 128, run = i / 32 % 4, byte = i % 32;
    out->codes[i] = block[16 + 32 * half + byte] >> (2 * run) & 3;
  }
  out->d = load_u16(block + 80);
  out->dmin = load_u16(block + 82);
}

// high[32]: bit b of byte i is the third bit of element 32 b + i; q[64] as in Q2_K; sixteen 6-bit
// scales, 32 taken off: low nibbles of bytes 0..7 and then their high nibbles, upper two bits in
// bytes 8..11; f16 d
void read_q3_k(const uint8_t* block, BlockCodes* out) {
  for (int i = 0; i < 256; i++) {
    const int half = i / 128, run = i / 32 % 4, byte = i % 32;
    const int low = block[32 + 32 * half + byte] >> (2 * run) & 3;
    out->codes[i] = static_cast<uint8_t>(low | (block[byte] >> (i / 32) & 1) << 2);
  }
  const uint8_t* packed = block + 96;
  for (int i = 0; i < 16; i++) {
    const int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    const int high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
    out->scales[i] = static_cast<int8_t>((low | high << 4) - 32);
  }
  out->d = load_u16(block + 108);
}

// low[128] nibbles, high[64] bit pairs, i8 scales[16], f16 d. Each half of 128 elements takes 64
// and 32 bytes of them: four times 32.
void read_q6_k(const uint8_t* block, BlockCodes* out) {
  for (int i = 0; i < 256; i++) {
    const int half = i / 128, run = i / 32 % 4, byte = i % 32;
    const uint8_t both = block[64 * half + 32 * (run % 2) + byte];
    const int low = run < 2 ? both & 15 : both >> 4;
    const int high = block[128 + 32 * half + byte] >> (2 * run) & 3;
    out->codes[i] = static_cast<uint8_t>(low | high << 4);
  }
  std::memcpy(out->scales, block + 192, 16);
  out->d = load_u16(block + 208);
}

// f16 d; u16 upper two bits of eight scales; four bytes of their lower four, 32 taken off; nibbles
void read_iq4_xs(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  const int high = load_u16(block + 2);
  for (int sub = 0; sub < 8; sub++) {
    const int low = block[4 + sub / 2] >> (4 * (sub % 2)) & 15;
    out->scales[sub] = static_cast<int8_t>((low | (high >> (2 * sub) & 3) << 4) - 32);
    read_32_nibbles(block + 8 + 16 * sub, out->codes + 32 * sub);
  }
}

// f16 d; per 32 elements: 4 lattice indices, then 4 x 7 sign bits and a 4-bit scale. The eighth
// sign makes the number of minus signs even.
void read_iq2_xxs(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  for (int sub = 0; sub < 8; sub++) {
    const uint8_t* bytes = block + 2 + 8 * sub;
    const uint32_t bits = load_u32(bytes + 4);
    out->scales[sub] = static_cast<int8_t>(bits >> 28);
    for (int i = 0; i < 4; i++) {
      const uint32_t seven = bits >> (7 * i) & 127;
      out->grid[4 * sub + i] = bytes[i];
      out->signs[4 * sub + i] =
          static_cast<uint8_t>(seven | static_cast<uint32_t>(__builtin_parity(seven)) << 7);
    }
  }
}

float iq2_xxs_value(const BlockCodes& block, int i) {
  static constexpr float kPoints[3] = {8, 25, 43};
  const int group = i / 8;
  const float point = kPoints[kIq2XxsGrid[block.grid[group]] >> (2 * (i % 8)) & 3];
  return block.signs[group] >> (i % 8) & 1 ? -point : point;
}

/** How a format turns codes into weights. */
struct CodeMeaning {
  int group;  // inputs per scale
  int zero;
  bool has_min;
};

CodeMeaning meaning_of(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0: return {32, 128, false};
    case DType::kQ4_0: return {32, 8, false};
    case DType::kQ5_0: return {32, 16, false};
    case DType::kQ3_K: return {16, 4, false};
    case DType::kQ6_K: return {16, 32, false};
    case DType::kQ2_K: return {16, 0, true};
    default: return {32, 0, true};
  }
}

float dequantize(DType dtype, const BlockCodes& block, int i) {
  const float d = f16_to_f32(block.d);
  if (dtype == DType::kIQ2_XXS) {
    // (scale + 1/2) / 4, as one exact product with d / 8
    return d * 0.125f * static_cast<float>(2 * block.scales[i / 32] + 1) * iq2_xxs_value(block, i);
  }
  if (dtype == DType::kIQ4_NL || dtype == DType::kIQ4_XS) {
    return d * block.scales[i / 32] * static_cast<float>(kIq4Values[block.codes[i]] - 128);
  }
  const CodeMeaning meaning = meaning_of(dtype);
  const int group = i / meaning.group;
  const float value = d * block.scales[group] * static_cast<float>(block.codes[i] - meaning.zero);
  return meaning.has_min ? value - f16_to_f32(block.dmin) * block.mins[group] : value;
}

}  // namespace

void read_block(DType dtype, const uint8_t* block, BlockCodes* out) {
  switch (dtype) {
    case DType::kQ8_0: return read_q8_0(block, out);
    case DType::kQ4_0:
    case DType::kIQ4_NL: return read_q4_0(block, out);
    case DType::kQ4_1: return read_q4_1(block, out);
    case DType::kQ5_0: return read_q5_0(block, out);
    case DType::kQ5_1: return read_q5_1(block, out);
    case DType::kQ3_K: return read_q3_k(block, out);
    case DType::kQ6_K: return read_q6_k(block, out);
    case DType::kIQ4_XS: return read_iq4_xs(block, out);
    case DType::kQ4_K: return read_q4_k(block, out);
    case DType::kQ5_K: return read_q5_k(block, out);
    case DType::kQ2_K: return read_q2_k(block, out);
    case DType::kIQ2_XXS: return read_iq2_xxs(block, out);
    default: CHECK(false, "not a quantized type");
  }
}

void dequantize_row(DType dtype, const uint8_t* row, int64_t n, float* out) {
  switch (dtype) {
    case DType::kF32: std::memcpy(out, row, static_cast<size_t>(n) * 4); return;
    case DType::kF16:
      for (int64_t i = 0; i < n; i++) out[i] = f16_to_f32(load_u16(row + 2 * i));
      return;
    case DType::kBF16:
      for (int64_t i = 0; i < n; i++) out[i] = bf16_to_f32(load_u16(row + 2 * i));
      return;
    default: break;
  }
  const auto& info = dtype_info(dtype);
  BlockCodes block{};
  for (int64_t i = 0; i < n; i += info.block_size, row += info.block_bytes) {
    read_block(dtype, row, &block);
    for (uint32_t j = 0; j < info.block_size; j++)
      out[i + j] = dequantize(dtype, block, static_cast<int>(j));
  }
}

}  // namespace cachalot
