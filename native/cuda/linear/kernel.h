// y = x W^T + bias on tensor cores. A block of threads makes 128 outputs of 8, 32 or 128 rows; W is
// mma's A, so that one row costs 8 columns of a tile and not 16. Chunks of W and x go through a
// ring in shared memory, filled by asynchronous copies.
//
// The sum over K has one order for every number of rows: chunks in order inside a slice of K; each
// slice starts from zero; slices fold left to right. With few rows the slices of a panel go to
// several blocks, and the last of them to finish folds what all have left in memory
// (docs/decisions/0014); with many rows one block takes them one after the other.
#pragma once

#include "cuda/abi.h"
#include "cuda/device/codecs.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

constexpr int kLinearThreads = 256;
constexpr int kRowBytes = 128;  // of x in a chunk, of either kind
constexpr int kSteps = 4;       // of mma.sync in a chunk: 32 bytes of x each

/** How the block's 8 warps share 8 tiles of outputs by `Tokens` rows. */
template <Format F, int Tokens>
struct LinearTile {
  static constexpr bool kFloats = is_float_format(F);
  static constexpr int kTileBytes = tile_bytes(F);
  static constexpr int kTokenWarps = Tokens == 128 ? 2 : 1;     // a warp's sums fit its registers
  static constexpr int kRowTiles = Tokens == 128 ? 2 : 1;       // of 16 outputs, per warp
  static constexpr int kTokenTiles = Tokens / 8 / kTokenWarps;  // of 8 rows, per warp
  // Scales that are loaded ahead of their step would not fit the registers of the widest tile.
  static constexpr int kStepsAtOnce = Tokens == 128 && !kFloats ? 1 : kSteps;
  // Per multiprocessor, so that one reads while another begins or folds.
  static constexpr int kBlocks = Tokens == 8 && F != Format::kWide16 ? 2 : 1;
  static constexpr int kSums = kRowTiles * kTokenTiles * 4;

  // A stage of the ring: weights; rows; scales and sums of rows.
  static constexpr int kWeightBytes = kPanelTiles * tile_bytes(F);
  static constexpr int kRows = kWeightBytes;
  static constexpr int kScales = kRows + Tokens * kRowBytes;
  static constexpr int kRowSums = kScales + (kFloats ? 0 : Tokens * 16);
  static constexpr int kStageBytes = kRowSums + (kFloats ? 0 : Tokens * 16);
  // As many as leave room for the device with least shared memory: 99 KB.
  static constexpr int kStages = Tokens == 128 ? (kFloats ? 3 : 2) : 4;
  static constexpr int kGrid = kStages * kStageBytes;
  static constexpr int kSharedBytes = kGrid + (F == Format::kIQ2_XXS ? kGridBytes : 0);
  static_assert(kSharedBytes + 1024 <= 99 * 1024, "the ring fits every device");
};

/** Which part of which output a block makes. */
struct LinearWork {
  int output, panel, slice, token_tile;
};

SIMT_DEV LinearWork find_linear_work(const LinearArgs& args, int token_tiles) {
  LinearWork work;
  work.token_tile = blockIdx.x % token_tiles;  // blocks side by side read the same weights
  const int cta = blockIdx.x / token_tiles;
  work.output = 0;
  while (work.output + 1 < args.n_used && cta >= args.outputs[work.output + 1].first_cta)
    work.output++;
  const LinearOutputArgs& output = args.outputs[work.output];
  const int slices = args.serial_slices ? 1 : output.n_slices;
  work.panel = (cta - output.first_cta) / slices;
  work.slice = (cta - output.first_cta) % slices;
  return work;
}

template <Format F, int Tokens>
class LinearBlock {
 public:
  using Tile = LinearTile<F, Tokens>;

  SIMT_DEV LinearBlock(const LinearArgs& args, uint8_t* shared)
      : args_(args),
        token_tiles_((args.n_rows + Tokens - 1) / Tokens),
        work_(find_linear_work(args, token_tiles_)),
        output_(args.outputs[work_.output]),
        shared_(shared) {}

  SIMT_DEV void run() {
    if constexpr (F == Format::kIQ2_XXS)
      expand_grid(shared_ + Tile::kGrid, threadIdx.x, kLinearThreads);
    const int first_slice = args_.serial_slices ? 0 : work_.slice;
    const int n_slices = args_.serial_slices ? output_.n_slices : 1;
    const int first = slice_begin(first_slice), end = slice_begin(first_slice + n_slices);
    for (int i = 0; i < Tile::kStages - 1; i++) load_chunk(first + i, end, i);
    int slice_end = slice_begin(first_slice + 1), slice = 0;
    for (int chunk = first; chunk < end; chunk++) {
      simt::cp_async_wait<Tile::kStages - 2>();
      __syncthreads();  // this chunk is there, and all are done with the one before it
      load_chunk(chunk + Tile::kStages - 1, end,
                 (chunk - first + Tile::kStages - 1) % Tile::kStages);
      multiply_chunk(shared_ + (chunk - first) % Tile::kStages * Tile::kStageBytes);
      if (Tokens == 128 && chunk + 1 == slice_end) {
        fold_slice(slice++);
        slice_end = slice_begin(first_slice + slice + 1);
      }
    }
    simt::cp_async_wait<0>();
    if (args_.serial_slices || output_.n_slices == 1) store_outputs();
    else reduce_slices();
  }

 private:
  SIMT_DEV int slice_begin(int slice) const {
    return static_cast<int>(static_cast<int64_t>(args_.n_chunks) * slice / output_.n_slices);
  }

  /** Asks for a chunk; past the end for nothing, so that every turn closes one group of copies. */
  SIMT_DEV void load_chunk(int chunk, int end, int stage) {
    if (chunk < end) {
      uint8_t* to = shared_ + stage * Tile::kStageBytes;
      load_weights(to, chunk);
      load_rows(to, chunk);
    }
    simt::cp_async_commit();
  }

  /** The panel's tiles of a chunk, which lie one after the other. */
  SIMT_DEV void load_weights(uint8_t* to, int chunk) {
    const uint8_t* from =
        output_.weight +
        (static_cast<int64_t>(work_.panel) * args_.n_chunks + chunk) * Tile::kWeightBytes;
#pragma unroll
    for (int at = threadIdx.x * 16; at < Tile::kWeightBytes; at += kLinearThreads * 16)
      simt::cp_async_16(to + at, from + at);
  }

  /** Rows past the last are zeros. 16-byte pieces of a row are swizzled, so that ldmatrix meets no
   * bank twice. */
  SIMT_DEV void load_rows(uint8_t* to, int chunk) {
    const int64_t row_bytes = static_cast<int64_t>(args_.rows.padded) * (Tile::kFloats ? 2 : 1);
    for (int i = threadIdx.x; i < Tokens * 8; i += kLinearThreads) {
      const int row = i / 8, piece = i % 8, token = work_.token_tile * Tokens + row;
      const bool in = token < args_.n_rows;
      const uint8_t* from =
          args_.rows.codes + (in ? token : 0) * row_bytes + chunk * kRowBytes + piece * 16;
      simt::cp_async_16(to + Tile::kRows + row * kRowBytes + (piece ^ (row & 7)) * 16, from,
                        in ? 16 : 0);
    }
    if constexpr (!Tile::kFloats) {
      for (int i = threadIdx.x; i < Tokens * 2; i += kLinearThreads) {
        const int row = i % Tokens, token = work_.token_tile * Tokens + row;
        const bool in = token < args_.n_rows;
        const int64_t block =
            (static_cast<int64_t>(in ? token : 0) * args_.rows.padded + chunk * kByteChunk) / 32;
        const void* from = i < Tokens ? static_cast<const void*>(args_.rows.scales + block)
                                      : static_cast<const void*>(args_.rows.sums + 2 * block);
        simt::cp_async_16(to + (i < Tokens ? Tile::kScales : Tile::kRowSums) + row * 16, from,
                          in ? 16 : 0);
      }
    }
  }

  SIMT_DEV int lane() const { return threadIdx.x % 32; }
  SIMT_DEV int warp() const { return threadIdx.x / 32; }
  SIMT_DEV int first_row_tile() const { return warp() / Tile::kTokenWarps * Tile::kRowTiles; }
  SIMT_DEV int first_token() const { return warp() % Tile::kTokenWarps * Tile::kTokenTiles * 8; }

  SIMT_DEV void multiply_chunk(const uint8_t* stage) {
#pragma unroll Tile::kStepsAtOnce
    for (int step = 0; step < kSteps; step++) {
      uint32_t rows[Tile::kTokenTiles][2];
      load_row_fragments(stage + Tile::kRows, step, rows);
#pragma unroll
      for (int r = 0; r < Tile::kRowTiles; r++) {
        const uint8_t* tile = stage + (first_row_tile() + r) * Tile::kTileBytes;
        if constexpr (Tile::kFloats) multiply_floats(tile, step, rows, sums_[r]);
        else multiply_bytes(tile, stage, step, rows, sums_[r]);
      }
    }
  }

  /** mma's B for each eight rows: 16 bytes of k, then the next 16. */
  SIMT_DEV void load_row_fragments(const uint8_t* rows, int step,
                                   uint32_t (&out)[Tile::kTokenTiles][2]) const {
    const int matrix = lane() / 8, in_matrix = lane() % 8;
#pragma unroll
    for (int n = 0; n < Tile::kTokenTiles; n += 2) {
      // With one tile of rows the second half of the load repeats the first.
      const int row =
          first_token() + (Tile::kTokenTiles == 1 ? 0 : n * 8 + matrix / 2 * 8) + in_matrix;
      const int piece = 2 * step + matrix % 2;
      uint32_t four[4];
      simt::ldmatrix_x4(four, rows + row * kRowBytes + (piece ^ (row & 7)) * 16);
      out[n][0] = four[0], out[n][1] = four[1];
      if constexpr (Tile::kTokenTiles > 1) out[n + 1][0] = four[2], out[n + 1][1] = four[3];
    }
  }

  SIMT_DEV void multiply_floats(const uint8_t* tile, int step,
                                const uint32_t (&rows)[Tile::kTokenTiles][2],
                                float (&sums)[Tile::kTokenTiles][4]) const {
    using Element = std::conditional_t<F == Format::kF16, simt::f16, simt::bf16>;
    uint32_t weights[4];
    load_words(weights, tile + (step * 32 + lane()) * 16);
#pragma unroll
    for (int n = 0; n < Tile::kTokenTiles; n++)
      simt::mma_m16n8k16<Element>(sums[n], weights, rows[n][0], rows[n][1]);
  }

  // 1.5 x 2^23: the bits of its sum with a whole number below 2^22 are its own plus the number, so
  // that sums of codes become floats by one subtraction.
  static constexpr int kMagicBits = 0x4b400000;
  static constexpr float kMagic = 12582912.0f;

  SIMT_DEV void multiply_bytes(const uint8_t* tile, const uint8_t* stage, int block,
                               const uint32_t (&rows)[Tile::kTokenTiles][2],
                               float (&sums)[Tile::kTokenTiles][4]) const {
    using C = Codec<F>;
    uint32_t codes[4];
    C::load(tile, shared_ + Tile::kGrid, block, lane(), codes);
    BlockScales scales;
    C::scales(tile, block, lane() / 4, scales);
#pragma unroll
    for (int n = 0; n < Tile::kTokenTiles; n++) {
      const int token = first_token() + n * 8 + lane() % 4 * 2;
      const auto* row_scales =
          reinterpret_cast<const float*>(stage + Tile::kScales) + token * 4 + block;
      const auto* row_sums =
          reinterpret_cast<const int16_t*>(stage + Tile::kRowSums) + token * 8 + 2 * block;
      const float row_scale[2] = {row_scales[0], row_scales[4]};
      float terms[4];
      block_terms<C>(codes, rows[n], row_sums, scales, terms);
#pragma unroll
      for (int i = 0; i < 4; i++) sums[n][i] = fmaf(row_scale[i % 2], terms[i], sums[n][i]);
    }
  }

  /** scale * dot(code - zero, x) - min * sum(x), over the groups of a block. */
  template <class C>
  SIMT_DEV static void block_terms(const uint32_t (&codes)[4], const uint32_t (&row)[2],
                                   const int16_t* row_sums, const BlockScales& scales,
                                   float (&terms)[4]) {
#pragma unroll
    for (int group = 0; group < C::kGroups; group++) {
      int sum[2] = {0, 0};  // of the two rows of x
      if constexpr (C::kZero != 0 || C::kHasMin) {
#pragma unroll
        for (int i = 0; i < 2; i++)
          sum[i] =
              C::kGroups == 2 ? row_sums[8 * i + group] : row_sums[8 * i] + row_sums[8 * i + 1];
      }
      int dots[4];
#pragma unroll
      for (int i = 0; i < 4; i++) dots[i] = kMagicBits - C::kZero * sum[i % 2];
      if constexpr (C::kGroups == 2)
        simt::mma_s8_k16(dots, codes[2 * group], codes[2 * group + 1], row[group]);
      else simt::mma_s8_k32(dots, codes, row[0], row[1]);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const float dot = simt::int_as_float(dots[i]) - kMagic;
        const float scale = scales.scale[group][i / 2];
        terms[i] = group == 0 ? scale * dot : fmaf(scale, dot, terms[i]);
        if constexpr (C::kHasMin)
          terms[i] = fmaf(-scales.min[group][i / 2], static_cast<float>(sum[i % 2]), terms[i]);
      }
    }
  }

  SIMT_DEV void fold_slice(int slice) {
#pragma unroll
    for (int r = 0; r < Tile::kRowTiles; r++)
#pragma unroll
      for (int n = 0; n < Tile::kTokenTiles; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
          total_[r][n][i] = slice == 0 ? sums_[r][n][i] : total_[r][n][i] + sums_[r][n][i];
          sums_[r][n][i] = 0;
        }
  }

  SIMT_DEV float& result(int r, int n, int i) {
    return Tokens == 128 ? total_[r][n][i] : sums_[r][n][i];
  }

  /** Leaves this slice in memory; the last block of the panel to do so folds them all, in order. */
  SIMT_DEV void reduce_slices() {
    constexpr int kPerBlock = Tile::kSums * kLinearThreads;
    const int cta = blockIdx.x / token_tiles_ - work_.slice;  // of the panel's first slice
    const auto left_by = [&](int slice) {
      return args_.workspace +
             static_cast<int64_t>((cta + slice) * token_tiles_ + work_.token_tile) * kPerBlock +
             threadIdx.x;
    };
    each_sum([&](int r, int n, int i, int at) {
      left_by(work_.slice)[at * kLinearThreads] = result(r, n, i);
    });
    SIMT_SHARED(int, n_before);
    __syncthreads();
    int* counter =
        args_.counters + (output_.first_tile + work_.panel) * token_tiles_ + work_.token_tile;
    if (threadIdx.x == 0) {
      __threadfence();  // what the block left is there before it is counted
      n_before = atomicAdd(counter, 1);
    }
    __syncthreads();
    if (n_before != output_.n_slices - 1) return;
    __threadfence();
    if (threadIdx.x == 0) *counter = 0;
    each_sum(
        [&](int r, int n, int i, int at) { result(r, n, i) = left_by(0)[at * kLinearThreads]; });
    for (int slice = 1; slice < output_.n_slices; slice++) {
      each_sum([&](int r, int n, int i, int at) {
        result(r, n, i) += left_by(slice)[at * kLinearThreads];
      });
    }
    store_outputs();
  }

  template <class Visit>
  SIMT_DEV void each_sum(const Visit& visit) {
#pragma unroll
    for (int r = 0; r < Tile::kRowTiles; r++)
#pragma unroll
      for (int n = 0; n < Tile::kTokenTiles; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) visit(r, n, i, (r * Tile::kTokenTiles + n) * 4 + i);
  }

  SIMT_DEV void store_outputs() {
    each_sum([&](int r, int n, int i, int) {
      const int output = work_.panel * kPanelOutputs + (first_row_tile() + r) * kTileOutputs +
                         lane() / 4 + i / 2 * 8;
      const int token = work_.token_tile * Tokens + first_token() + n * 8 + lane() % 4 * 2 + i % 2;
      if (output >= output_.n_outputs || token >= args_.n_rows) return;
      const float bias = output_.bias == nullptr ? 0.0f : output_.bias[output];
      const float y = result(r, n, i);
      output_.y[static_cast<int64_t>(token) * output_.n_outputs + output] =
          output_.bias == nullptr ? y : y + bias;
    });
  }

  const LinearArgs& args_;
  const int token_tiles_;
  const LinearWork work_;
  const LinearOutputArgs& output_;
  uint8_t* shared_;
  float sums_[Tile::kRowTiles][Tile::kTokenTiles][4] = {};
  float total_[Tile::kRowTiles][Tile::kTokenTiles][4] = {};  // of slices, where one block takes all
};

template <Format F, int Tokens>
__global__ void __launch_bounds__(kLinearThreads, LinearTile<F, Tokens>::kBlocks)
    linear_kernel(const __grid_constant__ LinearArgs args) {
  SIMT_DYN_SMEM(uint8_t, shared);
  LinearBlock<F, Tokens>(args, shared).run();
}

template <Format F, int Tokens>
void launch_linear(const LinearArgs& args, simt::stream_t stream) {
  const int token_tiles = (args.n_rows + Tokens - 1) / Tokens;
  simt::launch(linear_kernel<F, Tokens>, dim3(args.n_ctas * token_tiles), dim3(kLinearThreads),
               LinearTile<F, Tokens>::kSharedBytes, stream, args);
}

template <Format F>
void run_linear(const LinearArgs& args, simt::stream_t stream) {
  switch (args.token_tile) {
    case 8: return launch_linear<F, 8>(args, stream);
    case 32: return launch_linear<F, 32>(args, stream);
    default:
      if constexpr (widest_token_tile(F) == 128) launch_linear<F, 128>(args, stream);
  }
}

}  // namespace cachalot::cuda
