#include "cuda/pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/block_codes.h"
#include "backend/code_tables.h"
#include "base/check.h"
#include "base/half.h"

namespace cachalot::cuda {

namespace {

// Places in a tile of 16 rows by 128 inputs, or by 64 inputs of floats.

int lane_of(int row, int quarter) { return row % 8 * 4 + quarter; }

/** Four codes of a row from input `k` on, a byte each. */
int word_at(int row, int k) {
  return (k / 32 * 32 + lane_of(row, k % 16 / 4)) * 16 + (k % 32 / 16 * 2 + row / 8) * 4;
}

/** One 16-bit float, counted in floats. */
int half_at(int row, int k) {
  return (k / 16 * 32 + lane_of(row, k % 8 / 2)) * 8 + (k % 16 / 8 * 2 + row / 8) * 2 + k % 2;
}

void put_half(uint8_t* at, int index, uint16_t bits) { std::memcpy(at + 2 * index, &bits, 2); }

/** 128 inputs of a row in their format's own terms: 4 blocks of 32, or half a block of 256. */
struct RowCodes {
  uint8_t codes[128];
  int8_t scales[8];  // per 16 inputs
  uint8_t mins[8];
  uint16_t d[4], dmin[4];  // per 32 inputs
  uint8_t grid[16], signs[16];
};

/** Blocks past the end of the row are left as zeros. */
RowCodes read_row(const Tensor& tensor, int64_t row, int64_t first_input) {
  RowCodes out{};
  const auto& info = dtype_info(tensor.dtype);
  const int block_size = static_cast<int>(info.block_size);
  const int n_groups =
      tensor.dtype == DType::kQ2_K || tensor.dtype == DType::kQ3_K || tensor.dtype == DType::kQ6_K
          ? 16
          : 8;  // of a block of 256
  for (int k = 0; k < 128; k += std::min(block_size, 128)) {
    const int64_t input = first_input + k;
    if (input >= tensor.n_cols) break;
    BlockCodes block{};
    read_block(tensor.dtype,
               tensor.data + row * tensor.row_bytes() + input / block_size * info.block_bytes,
               &block);
    const int offset = static_cast<int>(input % block_size), n = std::min(block_size, 128);
    std::memcpy(out.codes + k, block.codes + offset, static_cast<size_t>(n));
    for (int i = 0; i < n / 16; i++) {
      const int group = block_size == 32 ? 0 : (offset / 16 + i) * n_groups / 16;
      out.scales[k / 16 + i] = block.scales[group];
      out.mins[k / 16 + i] = block.mins[group];
    }
    for (int i = 0; i < n / 32; i++) out.d[k / 32 + i] = block.d, out.dmin[k / 32 + i] = block.dmin;
    std::memcpy(out.grid + k / 8, block.grid + offset / 8, static_cast<size_t>(n / 8));
    std::memcpy(out.signs + k / 8, block.signs + offset / 8, static_cast<size_t>(n / 8));
  }
  return out;
}

void put_bytes(uint8_t* tile, int row, const uint8_t* codes, int zero) {
  for (int k = 0; k < 128; k++)
    tile[word_at(row, k) + k % 4] = static_cast<uint8_t>(codes[k] - zero);
}

/** The low four bits: of an even block of 32 below, of an odd one above. */
void put_nibbles(uint8_t* tile, int row, const uint8_t* codes) {
  for (int k = 0; k < 128; k++) {
    const int at = word_at(row, k / 64 * 32 + k % 32) + k % 4;
    tile[at] |= static_cast<uint8_t>((codes[k] & 15) << (k / 32 % 2 * 4));
  }
}

/** Bits 4 and 5, two of each of a word's codes beside those of the block's other words. */
void put_high_pairs(uint8_t* high, int row, const uint8_t* codes) {
  for (int k = 0; k < 128; k++) {
    const int word = k % 32 / 16 * 2 + row / 8;
    uint8_t* at = high + (k / 32 * 32 + lane_of(row, k % 16 / 4)) * 4 + k % 4;
    *at |= static_cast<uint8_t>((codes[k] >> 4 & 3) << (2 * word));
  }
}

void put_iq2_xxs(uint8_t* tile, int row, const RowCodes& codes) {
  for (int block = 0; block < 4; block++) {
    uint32_t points = 0, signs = static_cast<uint32_t>(codes.scales[2 * block]) << 28;
    for (int i = 0; i < 4; i++) {
      points |= static_cast<uint32_t>(codes.grid[4 * block + i]) << (8 * i);
      signs |= static_cast<uint32_t>(codes.signs[4 * block + i] & 127) << (7 * i);
    }
    uint8_t* at = tile + (block * 8 + row % 8) * 16 + row / 8 * 8;
    std::memcpy(at, &points, 4);
    std::memcpy(at + 4, &signs, 4);
  }
  put_half(tile + TileIQ2_XXS::kD, row, codes.d[0]);
}

/** Codes of IQ4 formats as the values that they stand for. */
void look_up_iq4(DType dtype, RowCodes* row) {
  if (dtype != DType::kIQ4_NL && dtype != DType::kIQ4_XS) return;
  for (uint8_t& code : row->codes) code = static_cast<uint8_t>(kIq4Values[code] - 128);
}

void put_wide32(uint8_t* tile, int row, DType dtype, const RowCodes& codes) {
  using Tile = TileWide32;
  put_bytes(tile, row, codes.codes, dtype == DType::kQ5_0 ? 16 : 0);
  const bool has_min = dtype == DType::kQ4_1 || dtype == DType::kQ5_1;
  for (int block = 0; block < 4; block++) {
    put_half(tile + Tile::kScales, block * 16 + row, codes.d[block]);
    if (has_min) put_half(tile + Tile::kMins, block * 16 + row, codes.dmin[block]);
  }
}

void put_wide16(uint8_t* tile, int row, DType dtype, const RowCodes& codes) {
  using Tile = TileWide16;
  put_bytes(tile, row, codes.codes, dtype == DType::kQ3_K ? 4 : 0);
  const bool has_min = dtype == DType::kQ2_K || dtype == DType::kQ5_K;
  for (int group = 0; group < 8; group++) {
    tile[Tile::kScales + group * 16 + row] = static_cast<uint8_t>(codes.scales[group]);
    if (has_min) tile[Tile::kMins + group * 16 + row] = codes.mins[group];
  }
  put_half(tile + Tile::kD, row, codes.d[0]);
  if (has_min) put_half(tile + Tile::kDmin, row, codes.dmin[0]);
}

void put_q4_k(uint8_t* tile, int row, const RowCodes& codes) {
  using Tile = TileQ4_K;
  put_nibbles(tile, row, codes.codes);
  for (int block = 0; block < 4; block++) {
    tile[Tile::kScales + block * 16 + row] = static_cast<uint8_t>(codes.scales[2 * block]);
    tile[Tile::kMins + block * 16 + row] = codes.mins[2 * block];
  }
  put_half(tile + Tile::kD, row, codes.d[0]);
  put_half(tile + Tile::kDmin, row, codes.dmin[0]);
}

void put_q6_k(uint8_t* tile, int row, const RowCodes& codes) {
  using Tile = TileQ6_K;
  put_nibbles(tile, row, codes.codes);
  put_high_pairs(tile + Tile::kHigh, row, codes.codes);
  for (int group = 0; group < 8; group++)
    tile[Tile::kScales + group * 16 + row] = static_cast<uint8_t>(codes.scales[group]);
  put_half(tile + Tile::kD, row, codes.d[0]);
}

void put_codes(uint8_t* tile, int row, const Tensor& tensor, int64_t tensor_row, int64_t input) {
  RowCodes codes = read_row(tensor, tensor_row, input);
  look_up_iq4(tensor.dtype, &codes);
  switch (format_of(tensor.dtype)) {
    case Format::kQ8_0:
    case Format::kQ4_0: {
      const bool nibbles = tensor.dtype == DType::kQ4_0;
      if (nibbles) put_nibbles(tile, row, codes.codes);
      else put_bytes(tile, row, codes.codes, 128);
      for (int block = 0; block < 4; block++)
        put_half(tile + (nibbles ? TileQ4_0::kScales : TileQ8_0::kScales), block * 16 + row,
                 codes.d[block]);
      return;
    }
    case Format::kQ4_K: return put_q4_k(tile, row, codes);
    case Format::kQ6_K: return put_q6_k(tile, row, codes);
    case Format::kIQ2_XXS: return put_iq2_xxs(tile, row, codes);
    case Format::kWide32: return put_wide32(tile, row, tensor.dtype, codes);
    case Format::kWide16: return put_wide16(tile, row, tensor.dtype, codes);
    default: CHECK(false, "a quantized type");
  }
}

/** Puts 16-bit floats as they are; of f32 the high parts or, for `part` 1, the low parts. */
void put_floats(uint8_t* tile, int row, const Tensor& tensor, int64_t tensor_row, int64_t input,
                int64_t part) {
  const uint8_t* source = tensor.data + tensor_row * tensor.row_bytes();
  for (int k = 0; k < kFloatChunk && input + k < tensor.n_cols; k++) {
    uint16_t bits;
    if (tensor.dtype == DType::kF32) {
      float value;
      std::memcpy(&value, source + (input + k) * 4, 4);
      bits = f32_to_bf16(value);
      if (part == 1) bits = f32_to_bf16(value - bf16_to_f32(bits));
    } else {
      bits = load_u16(source + (input + k) * 2);
    }
    put_half(tile, half_at(row, k), bits);
  }
}

}  // namespace

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::kF32: return Format::kBf16x3;
    case DType::kF16: return Format::kF16;
    case DType::kBF16: return Format::kBf16;
    case DType::kQ8_0: return Format::kQ8_0;
    case DType::kQ4_0: return Format::kQ4_0;
    case DType::kQ4_K: return Format::kQ4_K;
    case DType::kQ6_K: return Format::kQ6_K;
    case DType::kIQ2_XXS: return Format::kIQ2_XXS;
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kIQ4_NL: return Format::kWide32;
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kQ5_K:
    case DType::kIQ4_XS: return Format::kWide16;
  }
  CHECK(false, "every type has a format");
}

MemoryRegion pack_weight(const Tensor& tensor, ThreadPool& pool) {
  const Format format = format_of(tensor.dtype);
  const int64_t n_chunks = chunk_count(format, tensor.n_cols), bytes = tile_bytes(format);
  const int64_t chunks_of_part = format == Format::kBf16x3 ? n_chunks / 3 : n_chunks;
  MemoryRegion packed(static_cast<size_t>(weight_bytes(format, tensor.n_rows, tensor.n_cols)));
  const auto pack_tile = [&](int tile, int) {
    for (int64_t chunk = 0; chunk < n_chunks; chunk++) {
      uint8_t* out = packed.data() + tile_index(tile, chunk, n_chunks) * bytes;
      const int64_t part = chunk / chunks_of_part,
                    input = chunk % chunks_of_part * chunk_inputs(format);
      for (int row = 0; row < kTileOutputs; row++) {
        const int64_t tensor_row = int64_t{tile} * kTileOutputs + row;
        if (tensor_row >= tensor.n_rows) break;
        if (is_float_format(format)) put_floats(out, row, tensor, tensor_row, input, part);
        else put_codes(out, row, tensor, tensor_row, input);
      }
    }
  };
  pool.parallel_for(static_cast<int>(tile_count(tensor.n_rows)), pack_tile);
  return packed;
}

}  // namespace cachalot::cuda
