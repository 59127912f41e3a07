// The interface of an instruction path: the inner loops, as plain functions on plain memory. The
// files of this folder check, cut work and start threads; they are the same for every path.
//
// Files that are compiled for one instruction set include it, so it may include C headers only: the
// linker could take a weak std:: function that is emitted there for the whole library.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/arithmetic.h"
#include "backend/number_formats.h"

namespace cachalot::cpu {

/** Partial attention of n queries over some keys; see backend/softmax_state.h. */
struct AttentionState {
  float* out;  // [n, D] not normalized
  float* max;  // [n] base 2; -inf when empty
  float* sum;  // [n]
};

/** Rows quantized to int8 in blocks of 32: x ~ scale * code, -127 <= code <= 127. */
struct QuantizedRows {
  int8_t* codes;    // [R, K]
  float* scales;    // [R, K / 32]
  int32_t* sums16;  // [R, K / 16] sums of codes
  int32_t* sums32;  // [R, K / 32]
};

/** y[:, n] for all rows and the panels [first_panel, end_panel) of 16 outputs; see device/packed.h.
 */
struct PanelTask {
  DType dtype;            // of a packed weight
  const uint8_t* panels;  // [ceil(N / 16)] panels
  int64_t n_outputs;      // N
  int64_t n_inputs;       // K
  QuantizedRows x;
  int32_t n_rows;  // R
  float* y;        // [R, N]
  int32_t first_panel, end_panel;
  uint8_t* scratch;  // panel_scratch_bytes(K) that are this thread's, 64-byte aligned
};

/** Room for two panels of unpacked codes: for 32 inputs of 16 outputs a byte each, and at most two
 * scales and two minima in f32. */
constexpr int64_t kUnpackedBlockBytes = kQuantBlock * 16 + 4 * 16 * 4;
static inline int64_t panel_scratch_bytes(int64_t n_inputs) {
  return n_inputs / kQuantBlock * 2 * kUnpackedBlockBytes;
}

/** y[:, n] for outputs [first_output, end_output) of a weight of floats, read in place. */
struct FloatTask {
  DType dtype;             // F32, F16 or BF16
  const uint8_t* weight;   // [N, K]
  int64_t n_outputs;       // N
  int64_t n_inputs;        // K
  const float* x;          // [R, K]
  const uint16_t* x_bf16;  // [R, K] the same rounded, for BF16 weights
  int64_t bf16_stride;     // from one row of x_bf16 to the next
  int32_t n_rows;          // R
  float* y;                // [R, N]
  int64_t first_output, end_output;
};

/** Online softmax of some queries over consecutive tiles of 32 keys, all of one span. */
struct AttentionSpan {
  const uint8_t* const* tiles;  // [n_tiles] block of K in the CPU's layout; V follows after
  int64_t value_offset;         // this many bytes
  int64_t
      weight_offset;  // to the log-weights of an edited block's keys, f32 [32]; 0: there are none
  int32_t n_tiles;
  const uint8_t* next;  // the block that will be read after these; may be null
  int32_t first_key;    // slot in the part's tiles of the first tile's first key
  KvFormat format;
  int32_t head_dim;              // D, even
  int32_t n_queries;             // n
  const float* queries;          // [n, D] f32, rotated
  const uint16_t* queries_bf16;  // [n, D] the same rounded, for bf16 keys
  const int32_t* first_keys;     // [n] the query reads the part's slots from here
  const int32_t* end_keys;       // [n] to here
  float scale;                   // of q k^T, times log2(e)
  AttentionState state;          // [n] of the queries, continued
};

/** scores[i, t] = scale * (query i, key t) + weight t, for the 32 keys of a block. */
struct KeyScores {
  const uint8_t* keys;  // block of K in the CPU's layout
  KvFormat format;
  int32_t head_dim;      // D, even
  const float* queries;  // [n, D] f32
  int32_t n_queries;     // n
  float scale;
  const float* weights;  // [32], in the scores' base; null: none
  float* scores;         // [n, stride]
  int64_t stride;
};

/** RoPE of one head at one position: pairs (2i, 2i+1), or (i, i + half) of the first 2 half dims.
 */
struct Rotation {
  const float* cosines;  // [half]
  const float* sines;    // [half]
  int32_t half;
  uint8_t interleaved;
  int32_t head_dim;
};

struct Kernels {
  const char* name;
  void (*rms_norm)(float* x, const float* delta, const float* weight, float epsilon, int32_t width,
                   float* out);
  /** 1 if all of x + delta are finite, else 0. */
  uint8_t (*is_finite)(const float* x, const float* delta, int32_t width);
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* out);
  void (*quantize_row)(const float* x, int64_t n, int8_t* codes, float* scales, int32_t* sums16,
                       int32_t* sums32);
  /** out = x rotated; dims past 2 half are copied. x and out may be the same. */
  void (*rotate)(const Rotation* rotation, const float* x, float* out);
  void (*round_bf16)(const float* x, int64_t n, uint16_t* out);
  void (*linear_panels)(const PanelTask* task);
  void (*linear_floats)(const FloatTask* task);
  void (*attention_span)(const AttentionSpan* span);
  void (*key_scores)(const KeyScores* task);
  /** sums += share * the softmax, in base 2, of n scores, which are overwritten. Nothing if all are
   * -inf. */
  void (*add_softmax)(float* scores, int64_t n, float share, float* sums);
  /** Merges later[i] into into[i], for n states. */
  void (*merge_states)(AttentionState into, AttentionState later, int32_t n, int32_t head_dim);
  /** The larger of all x, ignoring NaN; and whether there was a NaN. */
  void (*max_value)(const float* x, int64_t n, float* max, int32_t* has_nan);
  /** sum of exp2((x - max) * scale). */
  double (*sum_exp2)(const float* x, int64_t n, float max, float scale);
  // The peaks that benchmarks compare with: multiply-adds in registers, and reading. They return
  // the number of operations (0: the path has no such instruction), or a value made from the bytes
  // read.
  double (*spin_f32)(int64_t rounds);
  double (*spin_bf16)(int64_t rounds);
  double (*spin_int8)(int64_t rounds);
  uint64_t (*read_all)(const uint8_t* data, int64_t bytes);
};

extern const Kernels kPortableKernels;
#if defined(__x86_64__) || defined(_M_X64)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvxVnniKernels;  // AVX2 with VNNI's dot product; the same bits
extern const Kernels kAvx512Kernels;
#endif

}  // namespace cachalot::cpu
