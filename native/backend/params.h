// One plain struct per op. R rows in step, E model width, H query heads, G KV heads, D head size, V
// vocabulary, N outputs, K inputs. Pointers are to memory of the backend's device.
#pragma once

#include <cstdint>
#include <span>

#include "backend/attention_plan.h"
#include "backend/kv_params.h"
#include "backend/plan_records.h"
#include "backend/rope_table.h"
#include "backend/signal_records.h"
#include "backend/tensor.h"

namespace cachalot {

/** The host's arrays that the ops of a step read; see Backend::begin_step. */
struct StepTables {
  std::span<const int32_t> tokens{};    // [R] ids, for gather_rows
  std::span<const KvTarget> targets{};  // for kv_write: those of a slab together, ascending
  // Addresses of slabs, and the entries of edited tables; each table names a range of them. The
  // list grows, and an entry that a device has seen stays as it is until it is named in new_slabs.
  std::span<const uint32_t> slabs{};
  std::span<const SlabRange> new_slabs{};
  std::span<const AttentionPlan> plans{};  // one per class of layers; attention names its index
  std::span<const int32_t>
      output_rows{};                     // [outputs] rows whose logits are wanted, for select_rows
  std::span<const KeptRow> kept_rows{};  // for keep_queries
};

/** out[r] = table[tokens[r]], converted to f32, for the step's tokens. */
struct GatherRowsParams {
  const Weight* table;  // [V, E] of prepare_table
  float* out;           // [R, E]
};

/** out[i] = from[output_rows[i]], for the step's output rows. */
struct SelectRowsParams {
  const float* from;  // [R, E]
  int32_t width;      // E
  float* out;         // [outputs, E]
};

/** x += delta (if any); out = x / rms(x) * weight. */
struct RmsNormParams {
  float* x;             // [R, E]
  const float* delta;   // [R, E] or null
  const float* weight;  // [E]
  float epsilon;
  int32_t n_rows, width;
  float* out;  // [R, E]
};

/** y = x W^T + bias for each of several weights that read the same x. */
struct LinearOutput {
  const Weight* weight;  // [N, K]
  float* y;              // [R, N]
  const float* bias;     // [N] or null
};
struct LinearParams {
  const float* x;  // [R, K]
  int32_t n_rows;
  std::span<const LinearOutput> outputs;
};

/** Whether each row of x + delta holds finite numbers only. */
struct CheckFiniteParams {
  const float* x;      // [R, E]
  const float* delta;  // [R, E]
  int32_t n_rows, width;
  uint8_t* out;  // [R], host memory, there after wait()
};

/** out = silu(gate) * up. */
struct SiluMulParams {
  const float* gate;  // [R, F]
  const float* up;    // [R, F]
  int32_t n_rows, width;
  float* out;  // [R, F]
};

/** Each item's partial (out, max, sum) for all heads; see backend/softmax_state.h. */
struct AttentionParams {
  RopeTable rope;
  int32_t layer;                          // in its class
  int32_t n_heads, n_kv_heads, head_dim;  // H, G, D
  KvFormat format;                        // of the parts' keys and values
  float scale;                            // of q k^T
  const float* q;                         // [R, H, D] not yet rotated
  int32_t plan;                           // index in the step's plans
  float*
      partials;  // [n_partials, H, D + 2]: out, max and sum, in an order that the backend chooses
};

/** Folds the partials of the plan's rows in its order and normalizes. */
struct AttentionMergeParams {
  int32_t plan;     // index in the step's plans
  float* partials;  // [n_partials, H, D + 2]
  int32_t n_heads, head_dim;
  float* out;  // [R, H, D]
};

/** Draws one token per row; see SampleRow. */
struct SampleParams {
  const float* logits;  // [R, V]
  int32_t vocabulary;
  std::span<const SampleRow> rows;   // [R]
  std::span<const LogitEdit> edits;  // those of all rows
  std::span<const uint32_t> masks;   // [n, mask_words(V)]
  SampledToken* out;                 // [R], host memory, there after wait()
  SampledToken* top;                 // [R, kMaxTopTokens], likeliest first; null if no row wants it
};

}  // namespace cachalot
