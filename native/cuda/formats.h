// The layout of weights on the device. 16 outputs by one chunk of inputs form a tile. Its 16-byte
// loads give a lane of a warp exactly the values that mma.sync takes from it (MARLIN, Frantar et
// al. 2024). Lane 4 g + t holds outputs g and g + 8. The eight tiles of a panel follow one another,
// then chunks, then panels.
//
// Bytes, 128 inputs per chunk, as four blocks of 32: words {row g, k 4t..4t+3}, {row g + 8, same},
// {row g, k 16+4t..}, {row g + 8, same} per lane and block.
//
// clang-format off
//   Q8_0     i8 code[4 blocks][32 lanes][16]; f16 scale[4][16]
//   Q4_0     nibbles [2 pairs of blocks][32 lanes][16] (low: even block); f16 scale[4][16]; zero 8
//   Q4_K     nibbles as Q4_0; u8 scale[4][16], min[4][16]; f16 d[16], dmin[16]
//   Q6_K     nibbles as Q4_0; upper bits [4 blocks][32 lanes][4]; i8 scale[8][16]; f16 d[16]; zero 32
//   IQ2_XXS  per block and g: u32 {points, signs} of row g, then of g + 8; f16 d[16]
//   Wide32   codes as Q8_0; f16 scale[4][16], min[4][16]: Q4_1, Q5_0, Q5_1, IQ4_NL
//   Wide16   codes as Q8_0; i8 scale[8][16]; u8 min[8][16]; f16 d[16], dmin[16]: Q2_K, Q3_K, Q5_K, IQ4_XS
// clang-format on
//
// 16-bit floats, 64 inputs per chunk: [4 steps of 16 inputs][32 lanes][16]: {row g, k 2t, 2t+1},
// {row g + 8, same}, {row g, k 2t+8, +9}, {row g + 8, same}.
//   F16, BF16; F32 as BF16 of three times the inputs: high parts, low parts, high parts again.
#pragma once

#include <cstdint>

namespace cachalot::cuda {

enum class Format : int32_t {
  kF16,
  kBf16,
  kBf16x3,
  kQ8_0,
  kQ4_0,
  kQ4_K,
  kQ6_K,
  kIQ2_XXS,
  kWide32,
  kWide16
};

constexpr int kTileOutputs = 16;
constexpr int kPanelTiles = 8;  // of a block of threads
constexpr int kPanelOutputs = kTileOutputs * kPanelTiles;
constexpr int kByteChunk = 128, kFloatChunk = 64;  // inputs per tile: 128 bytes of x either way

// Offsets in a tile.
struct TileQ8_0 {
  static constexpr int kScales = 2048, kBytes = kScales + 128;
};
struct TileQ4_0 {
  static constexpr int kScales = 1024, kBytes = kScales + 128;
};
struct TileQ4_K {
  static constexpr int kScales = 1024, kMins = kScales + 64, kD = kMins + 64, kDmin = kD + 32,
                       kBytes = kDmin + 32;
};
struct TileQ6_K {
  static constexpr int kHigh = 1024, kScales = kHigh + 512, kD = kScales + 128, kBytes = kD + 32;
};
struct TileIQ2_XXS {
  static constexpr int kD = 512, kBytes = kD + 32;
};
struct TileWide32 {
  static constexpr int kScales = 2048, kMins = kScales + 128, kBytes = kMins + 128;
};
struct TileWide16 {
  static constexpr int kScales = 2048, kMins = kScales + 128, kD = kMins + 128, kDmin = kD + 32,
                       kBytes = kDmin + 32;
};
struct TileFloat {
  static constexpr int kBytes = 2048;
};

constexpr bool is_float_format(Format format) {
  return format == Format::kF16 || format == Format::kBf16 || format == Format::kBf16x3;
}
constexpr int chunk_inputs(Format format) {
  return is_float_format(format) ? kFloatChunk : kByteChunk;
}
constexpr int tile_bytes(Format format) {
  switch (format) {
    case Format::kQ8_0: return TileQ8_0::kBytes;
    case Format::kQ4_0: return TileQ4_0::kBytes;
    case Format::kQ4_K: return TileQ4_K::kBytes;
    case Format::kQ6_K: return TileQ6_K::kBytes;
    case Format::kIQ2_XXS: return TileIQ2_XXS::kBytes;
    case Format::kWide32: return TileWide32::kBytes;
    case Format::kWide16: return TileWide16::kBytes;
    default: return TileFloat::kBytes;
  }
}

/** Chunks of K; those of kBf16x3 are three times as many as K alone has. */
constexpr int64_t chunk_count(Format format, int64_t n_inputs) {
  const int64_t chunk = chunk_inputs(format);
  return (n_inputs + chunk - 1) / chunk * (format == Format::kBf16x3 ? 3 : 1);
}
constexpr int64_t tile_count(int64_t n_outputs) {
  return (n_outputs + kTileOutputs - 1) / kTileOutputs;
}
/** Whole panels, so that a block of threads never reads past the end. */
constexpr int64_t panel_count(int64_t n_outputs) {
  return (n_outputs + kPanelOutputs - 1) / kPanelOutputs;
}
/** Which of a weight's tiles this is: a panel's eight of one chunk lie one after the other. */
constexpr int64_t tile_index(int64_t row_tile, int64_t chunk, int64_t n_chunks) {
  return (row_tile / kPanelTiles * n_chunks + chunk) * kPanelTiles + row_tile % kPanelTiles;
}
constexpr int64_t weight_bytes(Format format, int64_t n_outputs, int64_t n_inputs) {
  return panel_count(n_outputs) * kPanelTiles * chunk_count(format, n_inputs) * tile_bytes(format);
}

/** Rows of x per block of threads. The scales and minima of Wide16 do not fit the registers beside
 * the sums of 128 rows. */
constexpr int widest_token_tile(Format format) { return format == Format::kWide16 ? 32 : 128; }
constexpr int token_tile(Format format, int n_rows) {
  if (n_rows <= 8) return 8;
  return n_rows <= 64 ? 32 : widest_token_tile(format);
}

/** The number of slices of K: enough for blocks on all multiprocessors when there are few rows. It
 * depends on N and K alone: each slice is summed on its own, and the bits of a row must not depend
 * on the number of rows. */
constexpr int slice_count(int64_t n_outputs, int64_t n_chunks) {
  constexpr int64_t kEnough = 192, kLeastChunks = 2;
  int64_t slices = 1;
  while (slices < 32 && panel_count(n_outputs) * slices < kEnough &&
         n_chunks / (slices * 2) >= kLeastChunks)
    slices *= 2;
  return static_cast<int>(slices);
}

}  // namespace cachalot::cuda
