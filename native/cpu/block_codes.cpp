#include "cpu/block_codes.h"

#include <cstring>

#include "base/check.h"
#include "cpu/device/half.h"
#include "cpu/device/packed.h"

namespace cachalot::cpu {

namespace {

// f16 d; i8 q[32]
void read_q8_0(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  for (int i = 0; i < 32; i++) out->codes[i] = static_cast<uint8_t>(block[2 + i] ^ 0x80);
}

// f16 d; 16 bytes: low nibbles are elements 0..15, high nibbles 16..31
void read_q4_0(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  for (int i = 0; i < 16; i++) {
    out->codes[i] = block[2 + i] & 15;
    out->codes[i + 16] = block[2 + i] >> 4;
  }
}

// Eight 6-bit scales and eight 6-bit minima in 12 bytes: the first four of each in the low bits of
// bytes 0..3 and 4..7, the others in nibbles of bytes 8..11 with their upper two bits on top of the
// first.
void read_k_scales(const uint8_t* packed, BlockCodes* out) {
  for (int i = 0; i < 4; i++) {
    out->scales[i] = packed[i] & 63;
    out->mins[i] = packed[i + 4] & 63;
    out->scales[i + 4] = static_cast<uint8_t>((packed[i + 8] & 15) | (packed[i] >> 6 << 4));
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
// elements, in four runs of 32 of two bits each.
void read_q2_k(const uint8_t* block, BlockCodes* out) {
  for (int i = 0; i < 16; i++) {
    out->scales[i] = block[i] & 15;
    out->mins[i] = block[i] >> 4;
  }
  for (int i = 0; i < 256; i++) {
    const int half = i / 128, run = i / 32 % 4, byte = i % 32;
    out->codes[i] = block[16 + 32 * half + byte] >> (2 * run) & 3;
  }
  out->d = load_u16(block + 80);
  out->dmin = load_u16(block + 82);
}

// f16 d; per 32 elements: 4 lattice indices, then 4 x 7 sign bits and a 4-bit scale. The eighth
// sign makes the number of minus signs even.
void read_iq2_xxs(const uint8_t* block, BlockCodes* out) {
  out->d = load_u16(block);
  for (int sub = 0; sub < 8; sub++) {
    const uint8_t* bytes = block + 2 + 8 * sub;
    const uint32_t bits = load_u32(bytes + 4);
    out->scales[sub] = static_cast<uint8_t>(bits >> 28);
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

float dequantize(DType dtype, const BlockCodes& block, int i) {
  const float d = f16_to_f32(block.d);
  const float code = block.codes[i];
  switch (dtype) {
    case DType::kQ8_0: return d * (code - 128);
    case DType::kQ4_0: return d * (code - 8);
    case DType::kQ4_K:
    case DType::kQ5_K:
      return d * block.scales[i / 32] * code - f16_to_f32(block.dmin) * block.mins[i / 32];
    case DType::kQ2_K:
      return d * block.scales[i / 16] * code - f16_to_f32(block.dmin) * block.mins[i / 16];
    // (scale + 1/2) / 4, as one exact product with d / 8
    default:
      return d * 0.125f * static_cast<float>(2 * block.scales[i / 32] + 1) *
             iq2_xxs_value(block, i);
  }
}

}  // namespace

void read_block(DType dtype, const uint8_t* block, BlockCodes* out) {
  switch (dtype) {
    case DType::kQ8_0: return read_q8_0(block, out);
    case DType::kQ4_0: return read_q4_0(block, out);
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

}  // namespace cachalot::cpu
