// One online-softmax step over a tile of 32 keys; avx512/attention_few.h states the formula. The
// layouts are the same: f32 K is [D][32], V is [32][D]; bf16 K is [D/2][32][2], V is [16][D][2].
// Products are f32.

#include <math.h>

#include "cpu/device/attention_tile.h"
#include "cpu/device/merge_state.h"
#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

namespace {

struct F32 {
  static float key(const AttentionTile& tile, int d, int t) {
    return reinterpret_cast<const float*>(tile.keys)[d * kTileTokens + t];
  }
  static float value(const AttentionTile& tile, int t, int d) {
    return reinterpret_cast<const float*>(tile.values)[t * tile.head_dim + d];
  }
};

struct BF16 {
  static float key(const AttentionTile& tile, int d, int t) {
    return bf16_to_f32(
        reinterpret_cast<const uint16_t*>(tile.keys)[d / 2 * 2 * kTileTokens + 2 * t + d % 2]);
  }
  static float value(const AttentionTile& tile, int t, int d) {
    return bf16_to_f32(
        reinterpret_cast<const uint16_t*>(tile.values)[t / 2 * 2 * tile.head_dim + 2 * d + t % 2]);
  }
};

/** Turns scores into probabilities and updates max and sum; returns the factor of the old state. */
float softmax_step(const AttentionTile& tile, int query, float* p) {
  const uint32_t mask = key_mask(tile, query);
  const float old_max = tile.max[query];
  float max = old_max;
  for (int t = 0; t < kTileTokens; t++) {
    p[t] *= tile.scale;
    if (tile.weights != NULL) p[t] += tile.weights[t];
    if ((mask >> t & 1) != 0 && p[t] > max) max = p[t];
  }
  const float factor = old_max == -INFINITY ? 0.0f : exp2_f32(old_max - max);
  float sum = 0;
  for (int t = 0; t < kTileTokens; t++) {
    p[t] = (mask >> t & 1) != 0 ? exp2_f32(p[t] - max) : 0.0f;
    sum += p[t];
  }
  tile.sum[query] = tile.sum[query] * factor + sum;
  tile.max[query] = max;
  return factor;
}

template <class Format>
void attend_tile(const AttentionTile& tile, int query) {
  const int head_dim = tile.head_dim;
  const float* q = tile.queries + query * head_dim;
  float p[kTileTokens] = {};
  for (int d = 0; d < head_dim; d++) {
    for (int t = 0; t < kTileTokens; t++) p[t] += q[d] * Format::key(tile, d, t);
  }
  const float factor = softmax_step(tile, query, p);
  float* out = tile.out + query * head_dim;
  for (int d = 0; d < head_dim; d++) out[d] *= factor;
  for (int t = 0; t < kTileTokens; t++) {
    for (int d = 0; d < head_dim; d++) out[d] += p[t] * Format::value(tile, t, d);
  }
}

}  // namespace

void attention_span(const AttentionSpan* span) {
  for (int i = 0; i < span->n_tiles; i++) {
    const AttentionTile tile = tile_of(*span, i, 0);
    for (int query = 0; query < tile.n_queries; query++) {
      if (key_mask(tile, query) == 0) continue;  // its state keeps its bits
      if (tile.format == KvFormat::kF32) attend_tile<F32>(tile, query);
      else attend_tile<BF16>(tile, query);
    }
  }
}

void merge_states(AttentionState into, AttentionState later, int32_t n, int32_t head_dim) {
  merge_each_state(into, later, n, head_dim);
}

}  // namespace cachalot::cpu::portable
