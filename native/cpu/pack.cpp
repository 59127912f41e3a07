#include "cpu/pack.h"

#include <cstring>

#include "backend/block_codes.h"
#include "base/check.h"
#include "cpu/device/packed.h"

namespace cachalot::cpu {

namespace {

void put_half(uint8_t* out, int output, uint16_t bits) { std::memcpy(out + 2 * output, &bits, 2); }

// Takes four codes at a time, as the bytes of a word, because users wait while models of gigabytes
// are packed.

uint32_t load_word(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, 4);
  return word;
}

void store_word(uint8_t* bytes, uint32_t word) { std::memcpy(bytes, &word, 4); }

/** The index of an output's four codes of quad q in [quads][16][4]. */
int quad_at(int output, int quad) { return 64 * quad + 4 * output; }

/** Nibbles of 32 inputs into [4][64]: quads 0..3 low, 4..7 high. */
void put_nibbles(uint8_t* out, int output, const uint8_t* codes) {
  for (int quad = 0; quad < 4; quad++) {
    const uint32_t low = load_word(codes + 4 * quad) & 0x0f0f0f0f;
    const uint32_t high = load_word(codes + 16 + 4 * quad) & 0x0f0f0f0f;
    store_word(out + quad_at(output, quad), low | high << 4);
  }
}

/** Bit `bit` of 32 codes into eight masks of 64 bits, four of which are one output's. */
void put_high_bits(uint8_t* out, int output, const uint8_t* codes, int bit) {
  for (int quad = 0; quad < 8; quad++) {
    const uint32_t bits = load_word(codes + 4 * quad) >> bit & 0x01010101;
    const uint32_t gathered = bits * 0x01020408 >> 24 & 15;  // the four bytes' bits, side by side
    out[8 * quad + output / 2] |= static_cast<uint8_t>(gathered << 4 * (output % 2));
  }
}

/** Bits [shift, shift + 2) of 256 codes into [16 groups of 16][64]: quad j in bits 2j of a byte. */
void put_pairs(uint8_t* out, int output, const uint8_t* codes, int shift) {
  for (int group = 0; group < 16; group++) {
    uint32_t pairs = 0;
    for (int j = 0; j < 4; j++)
      pairs |= (load_word(codes + 16 * group + 4 * j) >> shift & 0x03030303) << 2 * j;
    store_word(out + quad_at(output, group), pairs);
  }
}

/** Scales of `n` groups, a row of 16 outputs each. */
void put_scales(uint8_t* out, int output, const BlockCodes& block, int n) {
  for (int i = 0; i < n; i++)
    out[i * kPanelOutputs + output] = static_cast<uint8_t>(block.scales[i]);
}

void put_256_nibbles(uint8_t* out, int output, const BlockCodes& block) {
  for (int sub = 0; sub < 8; sub++) {
    put_nibbles(out + sub * kCodeBytes / 2, output, block.codes + 32 * sub);
  }
}

void put_q4_1(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedQ4_1::kScales, output, block.d);
  put_half(out + PackedQ4_1::kMins, output, block.dmin);
  put_nibbles(out + PackedQ4_1::kCodes, output, block.codes);
}

void put_q4_k(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedQ4_K::kD, output, block.d);
  put_half(out + PackedQ4_K::kDmin, output, block.dmin);
  put_scales(out + PackedQ4_K::kScales, output, block, 8);
  for (int sub = 0; sub < 8; sub++) {
    out[PackedQ4_K::kMins + sub * kPanelOutputs + output] = block.mins[sub];
  }
  put_256_nibbles(out + PackedQ4_K::kCodes, output, block);
}

void put_q5_k(uint8_t* out, int output, const BlockCodes& block) {
  put_q4_k(out, output, block);
  for (int sub = 0; sub < 8; sub++) {
    put_high_bits(out + PackedQ5_K::kHighBits + sub * 64, output, block.codes + 32 * sub, 4);
  }
}

void put_q2_k(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedQ2_K::kD, output, block.d);
  put_half(out + PackedQ2_K::kDmin, output, block.dmin);
  for (int group = 0; group < 16; group++) {
    out[PackedQ2_K::kScales + group * kPanelOutputs + output] =
        static_cast<uint8_t>(block.scales[group] | block.mins[group] << 4);
  }
  put_pairs(out + PackedQ2_K::kCodes, output, block.codes, 0);
}

void put_q3_k(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedQ3_K::kD, output, block.d);
  put_scales(out + PackedQ3_K::kScales, output, block, 16);
  put_pairs(out + PackedQ3_K::kCodes, output, block.codes, 0);
  for (int sub = 0; sub < 8; sub++) {
    put_high_bits(out + PackedQ3_K::kHighBits + sub * 64, output, block.codes + 32 * sub, 2);
  }
}

void put_q6_k(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedQ6_K::kD, output, block.d);
  put_scales(out + PackedQ6_K::kScales, output, block, 16);
  put_256_nibbles(out + PackedQ6_K::kCodes, output, block);
  put_pairs(out + PackedQ6_K::kHighPairs, output, block.codes, 4);
}

void put_iq4_xs(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedIQ4_XS::kD, output, block.d);
  put_scales(out + PackedIQ4_XS::kScales, output, block, 8);
  put_256_nibbles(out + PackedIQ4_XS::kCodes, output, block);
}

void put_iq2_xxs(uint8_t* out, int output, const BlockCodes& block) {
  put_half(out + PackedIQ2_XXS::kD, output, block.d);
  for (int sub = 0; sub < 8; sub++) {
    out[PackedIQ2_XXS::kScales + sub / 2 * kPanelOutputs + output] |=
        static_cast<uint8_t>(block.scales[sub] << (4 * (sub % 2)));
    uint8_t* bytes = out + PackedIQ2_XXS::kBlocks + sub * PackedIQ2_XXS::kBlockBytes;
    uint8_t* signs = bytes + 4 * kPanelOutputs;
    for (int group = 0; group < 4; group++) bytes[4 * output + group] = block.grid[4 * sub + group];
    for (int i = 0; i < kQuantBlock; i++) {
      const int negative = block.signs[4 * sub + i / 8] >> i % 8 & 1, quad = i / 4;
      signs[4 * output + i % 4] |= static_cast<uint8_t>(negative << quad);
    }
  }
}

void put_block(DType dtype, const BlockCodes& block, int output, uint8_t* out) {
  switch (dtype) {
    case DType::kQ8_0:
      put_half(out + PackedQ8_0::kScales, output, block.d);
      for (int quad = 0; quad < 8; quad++)
        store_word(out + PackedQ8_0::kCodes + quad_at(output, quad),
                   load_word(block.codes + 4 * quad));
      return;
    case DType::kQ4_0:
    case DType::kIQ4_NL:
    case DType::kQ5_0:
      put_half(out + PackedQ4_0::kScales, output, block.d);
      put_nibbles(out + PackedQ4_0::kCodes, output, block.codes);
      if (dtype == DType::kQ5_0) put_high_bits(out + PackedQ5_0::kHighBits, output, block.codes, 4);
      return;
    case DType::kQ4_1: return put_q4_1(out, output, block);
    case DType::kQ5_1:
      put_q4_1(out, output, block);
      return put_high_bits(out + PackedQ5_1::kHighBits, output, block.codes, 4);
    case DType::kQ2_K: return put_q2_k(out, output, block);
    case DType::kQ3_K: return put_q3_k(out, output, block);
    case DType::kQ4_K: return put_q4_k(out, output, block);
    case DType::kQ5_K: return put_q5_k(out, output, block);
    case DType::kQ6_K: return put_q6_k(out, output, block);
    case DType::kIQ2_XXS: return put_iq2_xxs(out, output, block);
    case DType::kIQ4_XS: return put_iq4_xs(out, output, block);
    default: CHECK(false, "only quantized types are packed");
  }
}

}  // namespace

PanelShape panel_shape(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0: return {PackedQ8_0::kBytes, PackedQ8_0::kInputs};
    case DType::kQ4_0: return {PackedQ4_0::kBytes, PackedQ4_0::kInputs};
    case DType::kQ4_1: return {PackedQ4_1::kBytes, PackedQ4_1::kInputs};
    case DType::kQ5_0: return {PackedQ5_0::kBytes, PackedQ5_0::kInputs};
    case DType::kQ5_1: return {PackedQ5_1::kBytes, PackedQ5_1::kInputs};
    case DType::kIQ4_NL: return {PackedIQ4_NL::kBytes, PackedIQ4_NL::kInputs};
    case DType::kQ2_K: return {PackedQ2_K::kBytes, PackedQ2_K::kInputs};
    case DType::kQ3_K: return {PackedQ3_K::kBytes, PackedQ3_K::kInputs};
    case DType::kQ4_K: return {PackedQ4_K::kBytes, PackedQ4_K::kInputs};
    case DType::kQ5_K: return {PackedQ5_K::kBytes, PackedQ5_K::kInputs};
    case DType::kQ6_K: return {PackedQ6_K::kBytes, PackedQ6_K::kInputs};
    case DType::kIQ2_XXS: return {PackedIQ2_XXS::kBytes, PackedIQ2_XXS::kInputs};
    case DType::kIQ4_XS: return {PackedIQ4_XS::kBytes, PackedIQ4_XS::kInputs};
    default: CHECK(false, "only quantized types are packed");
  }
}

int64_t panel_bytes(DType dtype, int64_t n_inputs) {
  const auto shape = panel_shape(dtype);
  return n_inputs / shape.block_inputs * shape.block_bytes;
}

void pack_panel(const Tensor& tensor, int64_t panel, uint8_t* out) {
  const auto shape = panel_shape(tensor.dtype);
  const auto& info = dtype_info(tensor.dtype);
  std::memset(out, 0, static_cast<size_t>(panel_bytes(tensor.dtype, tensor.n_cols)));
  BlockCodes block{};
  for (int output = 0; output < kPanelOutputs; output++) {
    const int64_t row = panel * kPanelOutputs + output;
    if (row >= tensor.n_rows) return;
    const uint8_t* source = tensor.data + row * tensor.row_bytes();
    for (int64_t i = 0; i < tensor.n_cols / shape.block_inputs; i++) {
      read_block(tensor.dtype, source + i * info.block_bytes, &block);
      put_block(tensor.dtype, block, output, out + i * shape.block_bytes);
    }
  }
}

}  // namespace cachalot::cpu
