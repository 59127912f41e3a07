// out[r] = row tokens[r] of a table that lies as weights do, converted to f32: each value is looked
// up where its tile has it. One block of threads per row.

#include "cuda/device/codecs.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 256;

/** Where in a tile of byte codes row `row`'s code of input `k` stands: of 16 by 128. */
SIMT_DEV int code_at(int row, int k) {
  const int lane = row % 8 * 4 + k % 16 / 4;
  return (k / 32 * 32 + lane) * 16 + (k % 32 / 16 * 2 + row / 8) * 4 + k % 4;
}
/** The same of nibbles: two blocks of 32 share their bytes. */
SIMT_DEV int nibble_of(const uint8_t* tile, int row, int k) {
  return tile[code_at(row, k % 32 + k / 64 * 32)] >> (k / 32 % 2 * 4) & 15;
}

SIMT_DEV float half_at(const uint8_t* values, int row) { return half_value(values + 2 * row); }

SIMT_DEV float float_value(Format format, const uint8_t* tile, int row, int k) {
  const int lane = row % 8 * 4 + k % 8 / 2;
  const int at = (k / 16 * 32 + lane) * 8 + (k % 16 / 8 * 2 + row / 8) * 2 + k % 2;
  if (format == Format::kF16) return half_at(tile, at);
  return simt::to_float(reinterpret_cast<const simt::bf16*>(tile)[at]);
}

SIMT_DEV float iq2_xxs_value(const uint8_t* tile, int row, int k) {
  const int block = k / 32, group = k % 32 / 8;
  const auto* words =
      reinterpret_cast<const uint32_t*>(tile + (block * 8 + row % 8) * 16 + row / 8 * 8);
  const int code = kGridPoints[words[0] >> (8 * group) & 255] >> (2 * (k % 8)) & 3;
  const float magnitude = code == 0 ? 8.0f : code == 1 ? 25.0f : 43.0f;
  const uint32_t signs = iq2_xxs_signs(words[1], group);
  BlockScales scales;
  Codec<Format::kIQ2_XXS>::scales(tile, block, row % 8, scales);
  const float value = scales.scale[0][row / 8] * magnitude;
  return signs >> (k % 8) & 1 ? -value : value;
}

template <Format F>
SIMT_DEV float quantized_value(const uint8_t* tile, int row, int k, int code) {
  using C = Codec<F>;
  BlockScales scales;
  C::scales(tile, k / 32, row % 8, scales);
  const int group = C::kGroups == 2 ? k % 32 / 16 : 0;
  const float value = scales.scale[group][row / 8] * static_cast<float>(code - C::kZero);
  if constexpr (C::kHasMin) return value - scales.min[group][row / 8];
  return value;
}

SIMT_DEV int high_bits_of_q6_k(const uint8_t* tile, int row, int k) {
  const int lane = row % 8 * 4 + k % 16 / 4, word = k % 32 / 16 * 2 + row / 8;
  const uint32_t high =
      *reinterpret_cast<const uint32_t*>(tile + TileQ6_K::kHigh + (k / 32 * 32 + lane) * 4);
  return high >> (2 * word + 8 * (k % 4)) & 3;
}

SIMT_DEV float value_of(Format format, const uint8_t* tile, int row, int k) {
  const auto signed_code = [&] {
    return static_cast<int>(static_cast<int8_t>(tile[code_at(row, k)]));
  };
  switch (format) {
    case Format::kQ8_0: return quantized_value<Format::kQ8_0>(tile, row, k, signed_code());
    case Format::kWide32: return quantized_value<Format::kWide32>(tile, row, k, signed_code());
    case Format::kWide16: return quantized_value<Format::kWide16>(tile, row, k, signed_code());
    case Format::kQ4_0:
      return quantized_value<Format::kQ4_0>(tile, row, k, nibble_of(tile, row, k));
    case Format::kQ4_K:
      return quantized_value<Format::kQ4_K>(tile, row, k, nibble_of(tile, row, k));
    case Format::kQ6_K:
      return quantized_value<Format::kQ6_K>(
          tile, row, k, nibble_of(tile, row, k) | high_bits_of_q6_k(tile, row, k) << 4);
    case Format::kIQ2_XXS: return iq2_xxs_value(tile, row, k);
    default: return float_value(format, tile, row, k);
  }
}

__global__ void __launch_bounds__(kThreads) gather_rows_kernel(GatherRowsArgs args) {
  const auto format = static_cast<Format>(args.format);
  const int64_t row = args.step->tokens[blockIdx.x];
  const int chunk = chunk_inputs(format);
  const int64_t n_chunks = chunk_count(format, args.n_inputs);
  const auto tile_of = [&](int64_t k) {
    return args.table + tile_index(row / kTileOutputs, k / chunk, n_chunks) * tile_bytes(format);
  };
  const int in_tile = static_cast<int>(row % kTileOutputs);
  for (int k = threadIdx.x; k < args.n_inputs; k += kThreads) {
    float value = value_of(format, tile_of(k), in_tile, k % chunk);
    // High parts, low parts, high parts: see Format::kBf16x3.
    if (format == Format::kBf16x3)
      value += value_of(format, tile_of(n_chunks / 3 * chunk + k), in_tile, k % chunk);
    args.out[static_cast<int64_t>(blockIdx.x) * args.n_inputs + k] = value;
  }
}

}  // namespace

void gather_rows(const LaunchContext& context, const GatherRowsArgs& args) {
  simt::launch(gather_rows_kernel, dim3(args.n_rows), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
