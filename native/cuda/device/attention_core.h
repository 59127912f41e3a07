// One warp's online softmax (FlashAttention-2, Dao 2023) for 16 queries: a tile of 32 keys at a
// time on mma.sync. Thread 4 g + t holds queries g and g + 8, and of what it computes for them
// columns 2t and 2t + 1 of every eight. Arithmetic: backend/arithmetic.h; the same for any
// number of queries and wherever keys are read from, so that a row's bits depend on its context
// alone.
#pragma once

#include "cuda/device/kv_block.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

/** A head's D dims in registers for D <= Dims; those past D are zeros and cost nothing but room. */
template <int Dims, bool Exact>
struct HeadShape {
  static constexpr int kSteps = Dims / 16;  // of mma.sync over dims, for scores
  static constexpr int kOctets = Dims / 8;  // of 8 dims of the result
  int head_dim;
  SIMT_DEV bool has_step(int step) const { return Exact || step * 16 < head_dim; }
  SIMT_DEV bool has_octet(int octet) const { return Exact || octet * 8 < head_dim; }
};

/** (out, max, sum) of queries g and g + 8 over some keys, in base 2. */
template <int Dims>
struct SoftmaxState {
  float out[Dims / 8][4];  // [octets of dims][query g: 2t, 2t+1; query g + 8: the same]
  float max[2], sum[2];

  SIMT_DEV void clear() {
#pragma unroll
    for (int i = 0; i < Dims / 8; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) out[i][j] = 0.0f;
    max[0] = max[1] = -INFINITY;
    sum[0] = sum[1] = 0.0f;
  }
};

/** Which keys the thread's two queries read: [first, end). */
struct KeyRanges {
  int first[2], end[2];
};

SIMT_DEV float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffffu, value, 2));
}
SIMT_DEV float quad_sum(float value) {
  value += __shfl_xor_sync(0xffffffffu, value, 1);
  return value + __shfl_xor_sync(0xffffffffu, value, 2);
}

/** scores = queries keys^T for the 32 keys at `keys`; `queries` are the warp's, as mma's A. */
template <class Shape>
SIMT_DEV void compute_scores(const Shape& shape, const uint16_t* queries, const uint8_t* keys,
                             float (&scores)[4][4]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) scores[i][j] = 0.0f;
#pragma unroll
  for (int step = 0; step < Shape::kSteps; step++) {
    if (!shape.has_step(step)) break;
    const uint4 q = simt::ld16(queries + (step * 32 + lane) * 8);
    const uint32_t a[4] = {q.x, q.y, q.z, q.w};
#pragma unroll
    for (int pair = 0; pair < 2; pair++) {
      const uint4 k = simt::ld16(keys + ((step * 2 + pair) * 32 + lane) * 16);
      simt::mma_m16n8k16<simt::bf16>(scores[2 * pair], a, k.x, k.y);
      simt::mma_m16n8k16<simt::bf16>(scores[2 * pair + 1], a, k.z, k.w);
    }
  }
}

/** -inf for keys that a query does not read. */
SIMT_DEV void mask_scores(const KeyRanges& ranges, int first_key, float (&scores)[4][4]) {
  const int column = first_key + threadIdx.x % 4 * 2;
#pragma unroll
  for (int query = 0; query < 2; query++) {
    if (ranges.first[query] <= first_key && ranges.end[query] >= first_key + kTileTokens) continue;
#pragma unroll
    for (int n = 0; n < 4; n++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int key = column + n * 8 + i;
        if (key < ranges.first[query] || key >= ranges.end[query])
          scores[n][2 * query + i] = -INFINITY;
      }
  }
}

/** Scores become weights 2^(score - max), and the state's earlier part is scaled to the new max.
 * `log_weights`: of the tile's 32 keys, added to the scores; null: none. */
template <int Dims>
SIMT_DEV void softmax_step(SoftmaxState<Dims>& state, float scale_log2, const float* log_weights,
                           float (&scores)[4][4]) {
#pragma unroll
  for (int query = 0; query < 2; query++) {
    float largest = -INFINITY;
#pragma unroll
    for (int n = 0; n < 4; n++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float& score = scores[n][2 * query + i];
        score *= scale_log2;
        if (log_weights != nullptr) score += log_weights[threadIdx.x % 4 * 2 + n * 8 + i];
        largest = fmaxf(largest, score);
      }
    const float max = fmaxf(state.max[query], quad_max(largest));
    const float base = max == -INFINITY ? 0.0f : max;  // no key yet: all weights are 2^-inf
    const float shrink = simt::ex2(state.max[query] - base);
    float sum = 0.0f;
#pragma unroll
    for (int n = 0; n < 4; n++)
#pragma unroll
      for (int i = 0; i < 2; i++) {
        float& score = scores[n][2 * query + i];
        score = simt::ex2(score - base);
        sum += score;
      }
    // In full after each tile: another warp may go on from here.
    state.sum[query] = fmaf(state.sum[query], shrink, quad_sum(sum));
    state.max[query] = max;
    if (shrink == 1.0f) continue;
#pragma unroll
    for (int octet = 0; octet < Dims / 8; octet++) {
      state.out[octet][2 * query] *= shrink;
      state.out[octet][2 * query + 1] *= shrink;
    }
  }
}

/** out += weights values; what mma left of the scores is how it wants the weights. */
template <class Shape, int Dims>
SIMT_DEV void add_values(const Shape& shape, const float (&weights)[4][4], const uint8_t* values,
                         SoftmaxState<Dims>& state) {
  using simt::bf16;
  uint32_t a[2][4];
#pragma unroll
  for (int half = 0; half < 2; half++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float(&eight)[4] = weights[2 * half + i / 2];
      a[half][i] = simt::pack2<bf16>(eight[2 * (i % 2)], eight[2 * (i % 2) + 1]);
    }
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int octet = 0; octet < Dims / 8; octet++) {
    if (!shape.has_octet(octet)) break;
    const uint4 v = simt::ld16(values + (octet * 32 + lane) * 16);
    simt::mma_m16n8k16<bf16>(state.out[octet], a[0], v.x, v.y);
    simt::mma_m16n8k16<bf16>(state.out[octet], a[1], v.z, v.w);
  }
}

/** How the scores of a part's keys become weights. */
struct ScoreScale {
  float scale_log2;
  bool has_notes;  // each block ends with KeyNotes, whose weights are added
};

/** One tile of one warp. */
template <class Shape, int Dims>
SIMT_DEV void attend_tile(const Shape& shape, const uint16_t* queries, const uint8_t* block,
                          const KeyRanges& ranges, int first_key, const ScoreScale& scale,
                          SoftmaxState<Dims>& state) {
  float scores[4][4];
  compute_scores(shape, queries, block, scores);
  mask_scores(ranges, first_key, scores);
  const float* weights =
      scale.has_notes
          ? reinterpret_cast<const KeyNotes*>(block + kTileTokens * shape.head_dim * 4)->weight
          : nullptr;
  softmax_step(state, scale.scale_log2, weights, scores);
  __syncwarp();  // some lanes had nothing to scale
  add_values(shape, scores, block + kTileTokens * shape.head_dim * 2, state);
}

}  // namespace cachalot::cuda
