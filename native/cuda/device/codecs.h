// What a tile of quantized weights (cuda/formats.h) gives a lane of a warp: the codes of one block
// of 32 inputs as the A operand of mma.sync, and scales and minima of its two rows, g and g + 8:
//   w = scale * (code - zero) - min
#pragma once

#include "cuda/device/simt.h"
#include "cuda/formats.h"

namespace cachalot::cuda {

#ifdef __CUDACC__
__device__
#endif
    static const uint16_t kGridPoints[256] = {
#include "backend/iq2_xxs_grid.inc"
};
constexpr int kGridBytes = 2048;  // each point's 8 values as bytes

/** Of a block's one or two groups, for rows g and g + 8. */
struct BlockScales {
  float scale[2][2], min[2][2];  // [group][row]
};

SIMT_DEV float half_value(const uint8_t* at) {
  return simt::to_float(*reinterpret_cast<const simt::f16*>(at));
}
/** Of rows g and g + 8. */
SIMT_DEV void load_halves(const uint8_t* halves, int index, float (&out)[2]) {
  out[0] = half_value(halves + 2 * index);
  out[1] = half_value(halves + 2 * (index + 8));
}
SIMT_DEV void load_words(uint32_t (&words)[4], const uint8_t* at) {
  const uint4 all = simt::ld16(at);
  words[0] = all.x, words[1] = all.y, words[2] = all.z, words[3] = all.w;
}

/** Codes of a byte each. */
struct ByteCodes {
  SIMT_DEV static void load(const uint8_t* tile, const uint8_t*, int block, int lane,
                            uint32_t (&codes)[4]) {
    load_words(codes, tile + (block * 32 + lane) * 16);
  }
};

/** Codes of four bits: two blocks share 16 bytes of a lane. */
struct NibbleCodes {
  SIMT_DEV static void load(const uint8_t* tile, const uint8_t*, int block, int lane,
                            uint32_t (&codes)[4]) {
    load_words(codes, tile + (block / 2 * 32 + lane) * 16);
#pragma unroll
    for (int i = 0; i < 4; i++) codes[i] = codes[i] >> (block % 2 * 4) & 0x0f0f0f0fu;
  }
};

template <Format F>
struct Codec;

template <>
struct Codec<Format::kQ8_0> : ByteCodes {
  static constexpr int kGroups = 1, kZero = 0;
  static constexpr bool kHasMin = false;
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
    load_halves(tile + TileQ8_0::kScales, block * 16 + row, out.scale[0]);
  }
};

template <>
struct Codec<Format::kQ4_0> : NibbleCodes {
  static constexpr int kGroups = 1, kZero = 8;
  static constexpr bool kHasMin = false;
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
    load_halves(tile + TileQ4_0::kScales, block * 16 + row, out.scale[0]);
  }
};

template <>
struct Codec<Format::kWide32> : ByteCodes {
  static constexpr int kGroups = 1, kZero = 0;
  static constexpr bool kHasMin = true;
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
    load_halves(tile + TileWide32::kScales, block * 16 + row, out.scale[0]);
    load_halves(tile + TileWide32::kMins, block * 16 + row, out.min[0]);
  }
};

template <>
struct Codec<Format::kQ4_K> : NibbleCodes {
  static constexpr int kGroups = 1, kZero = 0;
  static constexpr bool kHasMin = true;
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
    using Tile = TileQ4_K;
#pragma unroll
    for (int i = 0; i < 2; i++, row += 8) {
      const int at = block * 16 + row;
      out.scale[0][i] = half_value(tile + Tile::kD + 2 * row) * tile[Tile::kScales + at];
      out.min[0][i] = half_value(tile + Tile::kDmin + 2 * row) * tile[Tile::kMins + at];
    }
  }
};

template <>
struct Codec<Format::kQ6_K> {
  static constexpr int kGroups = 2, kZero = 32;
  static constexpr bool kHasMin = false;
  SIMT_DEV static void load(const uint8_t* tile, const uint8_t* grid, int block, int lane,
                            uint32_t (&codes)[4]) {
    NibbleCodes::load(tile, grid, block, lane, codes);
    // Two bits for each of a word's four codes; a block's four words share 32 bits.
    const uint32_t high =
        *reinterpret_cast<const uint32_t*>(tile + TileQ6_K::kHigh + (block * 32 + lane) * 4);
#pragma unroll
    for (int i = 0; i < 4; i++) codes[i] |= (high >> (2 * i) & 0x03030303u) << 4;
  }
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
    const auto* scales = reinterpret_cast<const int8_t*>(tile + TileQ6_K::kScales);
#pragma unroll
    for (int i = 0; i < 2; i++, row += 8) {
      const float d = half_value(tile + TileQ6_K::kD + 2 * row);
      out.scale[0][i] = d * scales[2 * block * 16 + row];
      out.scale[1][i] = d * scales[(2 * block + 1) * 16 + row];
    }
  }
};

template <>
struct Codec<Format::kWide16> : ByteCodes {
  static constexpr int kGroups = 2, kZero = 0;
  static constexpr bool kHasMin = true;
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
    using Tile = TileWide16;
    const auto* scales = reinterpret_cast<const int8_t*>(tile + Tile::kScales);
#pragma unroll
    for (int i = 0; i < 2; i++, row += 8) {
      const float d = half_value(tile + Tile::kD + 2 * row);
      const float dmin = half_value(tile + Tile::kDmin + 2 * row);
#pragma unroll
      for (int group = 0; group < 2; group++) {
        const int at = (2 * block + group) * 16 + row;
        out.scale[group][i] = d * scales[at];
        out.min[group][i] = dmin * tile[Tile::kMins + at];
      }
    }
  }
};

/** A bit for each of eight inputs: seven are stored, the number of minus signs is even. */
SIMT_DEV uint32_t iq2_xxs_signs(uint32_t words, int group) {
  const uint32_t seven = words >> (7 * group) & 127;
  return seven | static_cast<uint32_t>(__popc(seven) & 1) << 7;
}

template <>
struct Codec<Format::kIQ2_XXS> {
  static constexpr int kGroups = 1, kZero = 0;
  static constexpr bool kHasMin = false;

  /** Values 4 `half`.. of the point of 8 inputs, with their signs. */
  SIMT_DEV static uint32_t values(const uint8_t* grid, uint32_t points, uint32_t signs, int group,
                                  int half) {
    const uint32_t point = points >> (8 * group) & 255;
    const uint32_t magnitudes = *reinterpret_cast<const uint32_t*>(grid + point * 8 + 4 * half);
    const uint32_t bits = iq2_xxs_signs(signs, group);
    // Each of the four bits to the lowest of its byte, then all over it.
    const uint32_t ones = (bits >> (4 * half) & 15) * 0x00204081u & 0x01010101u;
    const uint32_t mask = ones * 255u;
    return (magnitudes ^ mask) + ones;  // bytewise, as no magnitude is 0
  }
  SIMT_DEV static void load(const uint8_t* tile, const uint8_t* grid, int block, int lane,
                            uint32_t (&codes)[4]) {
    uint32_t words[4];
    load_words(words, tile + (block * 8 + lane / 4) * 16);
    const int t = lane % 4, group = t / 2, half = t % 2;
    codes[0] = values(grid, words[0], words[1], group, half);
    codes[1] = values(grid, words[2], words[3], group, half);
    codes[2] = values(grid, words[0], words[1], 2 + group, half);
    codes[3] = values(grid, words[2], words[3], 2 + group, half);
  }
  /** d (scale + 1/2) / 4 */
  SIMT_DEV static void scales(const uint8_t* tile, int block, int row, BlockScales& out) {
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const uint32_t signs =
          *reinterpret_cast<const uint32_t*>(tile + (block * 8 + row) * 16 + 8 * i + 4);
      const float d = half_value(tile + TileIQ2_XXS::kD + 2 * (row + 8 * i));
      out.scale[0][i] = d * 0.125f * static_cast<float>(2 * (signs >> 28) + 1);
    }
  }
};

/** The lattice as bytes, by all threads of a block; they must meet before they read it. */
SIMT_DEV void expand_grid(uint8_t* grid, int thread, int n_threads) {
  for (int i = thread; i < 2048; i += n_threads) {
    const int code = kGridPoints[i / 8] >> (2 * (i % 8)) & 3;
    grid[i] = static_cast<uint8_t>(code == 0 ? 8 : code == 1 ? 25 : 43);
  }
}

}  // namespace cachalot::cuda
