// One plain struct per op. R rows in step, E model width, H query heads, G KV heads, D head size, V
// vocabulary, N outputs, K inputs. Pointers are to memory of the backend's device.
#pragma once

#include <cstdint>
#include <span>

#include "backend/attention_plan.h"
#include "backend/dtype.h"
#include "backend/tensor.h"

namespace cachalot {

/** Angles of RoPE for every position, computed in double and kept in f32. */
struct RopeTable {
  const float* cosines;  // [positions, rotated_dims / 2]
  const float* sines;    // [positions, rotated_dims / 2]
  int32_t rotated_dims;  // the first so many of a head's D dims are rotated
  bool interleaved;      // pairs are (2i, 2i+1), as in GGUF's llama; else (i, i + rotated_dims / 2)
};

/** The shape of KV blocks, and where they are. A block holds 32 tokens of one (layer, KV head): K,
 * then V, in a layout that only the backend knows. A uniform run holds the L x G blocks of 32
 * tokens, layer-major. */
struct KvStore {
  uint8_t* base;  // block address a is at base + a * kKvAddressUnit
  KvFormat format;
  int32_t n_layers;      // L
  int32_t n_kv_heads;    // G
  int32_t head_dim;      // D
  uint32_t block_units;  // size of a block in address units
};
constexpr size_t kKvAddressUnit = 64;  // bytes; 32-bit addresses then reach 256 GiB

/** Where a row's key and value go. Slot 0 of a block clears the block first, so absent keys are
 * zeros. */
struct KvTarget {
  uint32_t run;      // address of the run of blocks
  int32_t slot;      // 0..31
  int32_t position;  // angle at which the key is rotated
};

/** What the ops of a step read of the host's arrays; see Backend::begin_step. */
struct StepTables {
  std::span<const int32_t> tokens{};       // [R] ids of gather_rows
  std::span<const KvTarget> targets{};     // [R]
  std::span<const AttentionPlan> plans{};  // one per class of layers
  std::span<const int32_t> output_rows{};  // ids of select_rows
};

/** out[r] = table[ids[r]], converted to f32. */
struct GatherRowsParams {
  const Weight* table;  // [V, E] of prepare_table
  const int32_t* ids;   // [R] in the step's tokens
  int32_t n_rows;
  float* out;  // [R, E]
};

/** out[i] = from[rows[i]]. */
struct SelectRowsParams {
  const float* from;    // [R, E]
  const int32_t* rows;  // [n_rows] the step's output rows
  int32_t n_rows, width;
  float* out;  // [n_rows, E]
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

struct KvWriteParams {
  KvStore store;
  RopeTable rope;
  int32_t layer;
  const float* k;                     // [R, G, D] not yet rotated
  const float* v;                     // [R, G, D]
  std::span<const KvTarget> targets;  // [R] the step's
};

/** Copies the first `n_tokens` tokens of whole runs, all layers and heads, and clears the rest of
 * the target. */
struct KvCopy {
  uint32_t from, to;  // addresses of runs
  int32_t n_tokens;   // 1..31
};
struct KvCopyParams {
  KvStore store;
  std::span<const KvCopy> copies;
};

/** Each item's partial (out, max, sum) for all heads; see AttentionPlan. */
struct AttentionParams {
  KvStore store;
  RopeTable rope;
  int32_t layer;
  int32_t n_heads;  // H
  float scale;      // of q k^T
  const float* q;   // [R, H, D] not yet rotated
  const AttentionPlan* plan;
  float* partials;  // [n_partials, H, D + 2]: out, max and sum in base 2, laid as the backend likes
};

/** Folds partials in the plan's order and normalizes. */
struct AttentionMergeParams {
  const AttentionPlan* plan;
  float* partials;  // [n_partials, H, D + 2]
  int32_t n_rows, n_heads, head_dim;
  float* out;  // [R, H, D]
};

/** A change to one logit: first it is divided (or, if negative, multiplied) by `repetition`, then
 * `add` is added. */
struct LogitEdit {
  int32_t token;
  float repetition = 1;
  float add = 0;
};

/** How one row's token is drawn, in this order: edits; temperature; top-k; typical; top-p; min-p,
 * each over what the one before left; then the argmax of logit / temperature + Gumbel noise keyed
 * by (seed, completion, position, token), so that the draw depends on nothing else. Temperature 0
 * takes the largest edited logit, the smallest id among equals. */
struct SampleRow {
  float temperature = 0;
  int32_t top_k = 0;    // the k likeliest; 0: all (Fan et al. 2018)
  float typical_p = 1;  // mass of the tokens nearest the entropy (Meister et al. 2022)
  float top_p = 1;      // mass of the likeliest tokens (Holtzman et al. 2019)
  float min_p = 0;      // share of the likeliest token's probability (Nguyen et al. 2024)
  uint64_t seed = 0;
  uint32_t completion = 0;
  int32_t position = 0;
  int32_t forced_token = -1;           // >= 0: only its log-probability is wanted
  int32_t n_top = 0;                   // likeliest tokens to report, at most kMaxTopTokens
  std::span<const LogitEdit> edits{};  // of distinct tokens
};
constexpr int kMaxTopTokens = 20;

struct SampledToken {
  int32_t token;  // -1: the row has no finite logit or a NaN
  float logprob;  // natural logarithm, of the model's own distribution: no edits, temperature 1
};
struct SampleParams {
  const float* logits;  // [R, V]
  int32_t vocabulary;
  std::span<const SampleRow> rows;  // [R]
  SampledToken* out;                // [R], host memory, there after wait()
  SampledToken* top;                // [R, kMaxTopTokens], likeliest first; null if no row wants it
};

}  // namespace cachalot
