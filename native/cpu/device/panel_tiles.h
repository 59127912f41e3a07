// y = x W^T for packed weights and int8 rows. Per 32 inputs and output: an exact integer dot
// product of each group of inputs, then t = scale_w * dot [+ the second group's] [- min_w * sum_x],
// then acc = fma(scale_x, t, acc), along K in order. The arithmetic of one (row, output) never
// depends on how many rows there are; only the way that work is cut does.
//
// The loops, for paths with vectors. A Path has the operations on its registers; one register is a
// strip of outputs, a panel or half of one. Its codecs (codecs.h) unpack 32 inputs of a strip.
// Included once per translation unit, inside an anonymous namespace's reach.
#pragma once

#include "cpu/device/heights.h"
#include "cpu/device/packed.h"
#include "cpu/kernels.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kFetchAhead = 8192;  // bytes, where a tile of few rows reads a weight once
constexpr int kFewRows = 4;
constexpr int kTilesThatWait = 16;  // for memory; more have enough to do

/** Strips that are taken together: those of a panel, then those of the next. */
struct Strips {
  const uint8_t* first;  // panel
  int64_t panel_bytes;
};

/** acc += one block of 32 inputs: rows whose blocks are `stride` apart, beginning with block `at`.
 * The integer dot products of all rows and strips go side by side, so that they hide each other's
 * latency. */
template <class Path, class Codec, int kRows, int kStrips>
[[gnu::always_inline]] inline void add_block(const PanelTask& task,
                                             const typename Codec::Codes (&codes)[kStrips],
                                             int64_t at, int64_t stride,
                                             typename Path::Floats (&acc)[kRows][kStrips]) {
  constexpr int kGroups = Codec::kGroups, kQuads = 8 / kGroups;
  constexpr int kRun = Codec::kSummable < kQuads ? Codec::kSummable : kQuads;
  typename Path::Floats t[kRows][kStrips];
#pragma GCC unroll 2
  for (int g = 0; g < kGroups; g++) {
    typename Path::Ints dot[kRows][kStrips];
    int32_t sums[kRows];
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++) {
      const int64_t block = at + i * stride;
      sums[i] = kGroups == 1 ? task.x.sums32[block] : task.x.sums16[2 * block + g];
      const auto zero = Path::all(-Codec::kOffset * sums[i]);  // taken off exactly
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; s++) dot[i][s] = zero;
    }
    // As many products as fit are added in pairs first; one step with a fused dot product.
#pragma GCC unroll 8
    for (int first = 0; first < kQuads; first += kRun) {
      typename Path::Ints sum[kRows][kStrips];
#pragma GCC unroll 8
      for (int quad = first; quad < first + kRun; quad++) {
#pragma GCC unroll 8
        for (int i = 0; i < kRows; i++) {
          int32_t x;
          __builtin_memcpy(&x, task.x.codes + (at + i * stride) * kQuantBlock + g * 16 + 4 * quad,
                           4);
#pragma GCC unroll 2
          for (int s = 0; s < kStrips; s++)
            sum[i][s] = Path::template add_products<Codec::kSigned>(
                quad == first ? Path::first_sum(dot[i][s]) : sum[i][s],
                codes[s].quads[g * kQuads + quad], Path::all(x));
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
        for (int s = 0; s < kStrips; s++) dot[i][s] = Path::add_sum(dot[i][s], sum[i][s]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; s++) {
        const auto value = Path::to_floats(dot[i][s]);
        t[i][s] = g == 0 ? Path::mul(codes[s].scale[0], value)
                         : Path::fma(codes[s].scale[g], value, t[i][s]);
        if (Codec::kHasMin)
          t[i][s] = Path::fnma(codes[s].min[g], Path::all(static_cast<float>(sums[i])), t[i][s]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; s++)
      acc[i][s] = Path::fma(Path::all(task.x.scales[at + i * stride]), t[i][s], acc[i][s]);
}

/** Prefetches the bytes that will be read next, in equal parts while the arithmetic goes on. */
struct Fetch {
  const uint8_t* at;
  int64_t bytes_per_block;

  void one_block() {
    for (int64_t line = 0; line < bytes_per_block; line += 64) __builtin_prefetch(at + line, 0, 3);
    at += bytes_per_block;
  }
};

/** Rows [row, row + kRows) of kStrips strips: the sums stay in registers along K. */
template <class Path, class Codec, int kRows, int kStrips>
[[gnu::noinline]] void tile(const PanelTask& task, const Codec& codec, const Strips& strips,
                            int64_t output, int row, Fetch* shared_fetch) {
  constexpr int64_t kSubs = Codec::kInputs / kQuantBlock;
  constexpr int kStripsPerPanel = Codec::kStripsPerPanel;
  const int64_t n_blocks = task.n_inputs / Codec::kInputs;
  const int64_t blocks_per_row = task.n_inputs / kQuantBlock;
  Fetch fetch = *shared_fetch;
  typename Path::Floats acc[kRows][kStrips];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++)
#pragma GCC unroll 2
    for (int s = 0; s < kStrips; s++) acc[i][s] = Path::all(0.0f);
  for (int64_t block = 0; block < n_blocks; block++) {
    const uint8_t* weights = strips.first + block * Codec::kBytes;
    for (int64_t sub = 0; sub < kSubs; sub++) {
      fetch.one_block();
      typename Codec::Codes codes[kStrips];
#pragma GCC unroll 2
      for (int s = 0; s < kStrips; s++)
        codec.load(weights + s / kStripsPerPanel * strips.panel_bytes, static_cast<int>(sub),
                   s % kStripsPerPanel, codes[s]);
      add_block<Path, Codec>(task, codes, row * blocks_per_row + block * kSubs + sub,
                             blocks_per_row, acc);
    }
  }
  *shared_fetch = fetch;
#pragma GCC unroll 2
  for (int s = 0; s < kStrips; s++) {
    const int64_t at = output + s * Path::kLanes;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; i++)
      if (at < task.n_outputs)
        Path::store_first(task.y + (row + i) * task.n_outputs + at, task.n_outputs - at, acc[i][s]);
  }
}

template <class Path, class Codec, int kStrips, int kRows>
void tiles(const PanelTask& task, const Codec& codec, const Strips& strips, int64_t output,
           int* row, Fetch* fetch) {
  for (; *row + kRows <= task.n_rows; *row += kRows)
    tile<Path, Codec, kRows, kStrips>(task, codec, strips, output, *row, fetch);
}

/** All rows of kStrips strips, while the strips `next` are prefetched. */
template <class Path, class Codec, int kStrips, int kTallest, int... kHeights>
void all_rows(const PanelTask& task, const Codec& codec, const Strips& strips, int64_t output,
              const Strips& next, Heights<kTallest, kHeights...>) {
  const int n_tiles = (task.n_rows + kTallest - 1) / kTallest;
  const int64_t n_blocks = task.n_inputs / kQuantBlock;
  const bool waits = n_tiles <= kTilesThatWait;
  Fetch fetch{next.first, waits ? next.panel_bytes / (n_tiles * n_blocks) + 1 : 0};
  int row = 0;
  tiles<Path, Codec, kStrips, kTallest>(task, codec, strips, output, &row, &fetch);
  (tiles<Path, Codec, kStrips, kHeights>(task, codec, strips, output, &row, &fetch), ...);
}

/** Codes that have been unpacked into memory, one block of 32 inputs after the other, one strip
 * after the other. */
template <class Packed>
struct InMemory {
  using Codes = typename Packed::Codes;
  static constexpr int kGroups = Packed::kGroups, kOffset = Packed::kOffset;
  static constexpr bool kHasMin = Packed::kHasMin, kSigned = Packed::kSigned;
  static constexpr int kSummable = Packed::kSummable;
  static constexpr int kInputs = kQuantBlock, kStripsPerPanel = 1;
  static constexpr int64_t kBytes = sizeof(Codes);
  void load(const uint8_t* block, int /*sub*/, int /*strip*/, Codes& out) const {
    out = *reinterpret_cast<const Codes*>(block);
  }
};

template <class Codec>
[[gnu::noinline]] void unpack(const PanelTask& task, const Codec& codec, const Strips& packed,
                              int n_strips) {
  constexpr int64_t kSubs = Codec::kInputs / kQuantBlock;
  static_assert(sizeof(typename Codec::Codes) * Codec::kStripsPerPanel <= kUnpackedBlockBytes);
  auto* out = reinterpret_cast<typename Codec::Codes*>(task.scratch);
  for (int s = 0; s < n_strips; s++) {
    const uint8_t* panel = packed.first + s / Codec::kStripsPerPanel * packed.panel_bytes;
    for (int64_t i = 0; i < task.n_inputs / kQuantBlock; i++)
      codec.load(panel + i / kSubs * Codec::kBytes, static_cast<int>(i % kSubs),
                 s % Codec::kStripsPerPanel, *out++);
  }
}

/** The strips from `panel` on. If there are many rows, codes are unpacked once and not for each
 * tile. */
template <class Path, class Codec, int kStrips, class Rows>
void run_strips(const PanelTask& task, const Codec& codec, int panel, Rows rows) {
  const int64_t bytes = task.n_inputs / Codec::kInputs * Codec::kBytes;
  const int64_t output = int64_t{panel} * kPanelOutputs;
  const Strips packed{task.panels + panel * bytes, bytes};
  // Few rows read panels in order and prefetch a fixed distance ahead; more rows the next strips.
  constexpr int kPanels = kStrips / Codec::kStripsPerPanel;
  const Strips next{
      packed.first + (kPanels == 1 && task.n_rows <= kFewRows ? kFetchAhead : kPanels * bytes),
      kPanels * bytes};
  if (task.n_rows < Codec::kUnpackFrom)
    return all_rows<Path, Codec, kStrips>(task, codec, packed, output, next, rows);
  unpack(task, codec, packed, kStrips);
  const int64_t strip_bytes = task.n_inputs / kQuantBlock * InMemory<Codec>::kBytes;
  all_rows<Path, InMemory<Codec>, kStrips>(task, {}, {task.scratch, strip_bytes}, output, next,
                                           rows);
}

}  // namespace

}  // namespace cachalot::cpu
