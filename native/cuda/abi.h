// The interface between the addon and the CUDA library, which it loads at run time: plain structs
// and a table of functions, so that the two need not share a compiler, a C++ library or a driver.
// Ops are recorded as Launch values: a list of them is a step, and equal lists are the same CUDA
// graph.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "backend/edit_records.h"
#include "backend/kv_table.h"
#include "backend/plan_records.h"
#include "backend/rope_table.h"
#include "backend/signal_records.h"

namespace cachalot::cuda {

#ifndef CACHALOT_ABI_VERSION  // the build's is a hash of the files that define it
#define CACHALOT_ABI_VERSION 0
#endif
constexpr uint32_t kAbiVersion = CACHALOT_ABI_VERSION;
constexpr int kMaxOutputs = 4;  // weights that one launch of linear multiplies with
constexpr int kMaxPlans = 8;    // classes of layers in a step

// ---- The inputs of a step. All pointers are the device's. StepHeader keeps its address until it
// must grow, so that launches are equal from step to step.

/** Pieces, each of one KV head, that a block of threads takes at once: one, or a short one for each
 * of its warps. `after`: they must wait until the first so many pieces are done. */
struct DeviceBundle {
  int32_t first_piece, n_pieces, after, is_short;
};
/** An AttentionPlan. */
struct DevicePlan {
  const ContextPart* parts;
  const WorkItem* items;
  const ItemRow* item_rows;
  const AttentionPiece* pieces;
  const DeviceBundle* bundles;
  const int32_t* merge_begin;  // [R + 1]
  const MergeEntry* merge_entries;
  const float* blend_factors;
  int32_t n_bundles;
  int32_t n_partials;
};
struct StepHeader {
  uint32_t* slabs;  // the list that tables name ranges of; it outlives the step
  const SlabRange* new_slabs;
  const uint32_t* new_addresses;  // of the entries in new_slabs, one range after the other
  int64_t n_new_slabs;            // ranges
  const int32_t* tokens;
  const int32_t* output_rows;
  const KvTarget* targets;
  const SampleRow* samples;
  const KeptRow* kept_rows;
  DevicePlan plans[kMaxPlans];
};

// ---- Ops. R rows, E or width columns, N outputs, K inputs, H heads, G KV heads, D head size.

enum class Op : int32_t {
  kGatherRows,
  kSelectRows,
  kRmsNorm,
  kPrepareRows,
  kLinear,
  kCheckFinite,
  kSiluMul,
  kKvWrite,
  kKvCopy,
  kKvGather,
  kKvMerge,
  kKeepQueries,
  kKvSignal,
  kUpdateSlabs,
  kAttention,
  kAttentionMerge,
  kSample,
};

/** How x is written for tensor cores; one per kind of arithmetic. */
enum class RowKind : int32_t {
  kNone,
  kBytes,   // int8 per 32 inputs, as on the CPU: for quantized weights
  kBf16,    // for bf16 weights
  kF16,     // for f16 weights; larger values become the limit of the range
  kBf16x3,  // high, high and low parts in bf16: for f32 weights, which are high, low, high
};

/** Rows made ready for `linear`; see device/prepared.h. */
struct PreparedRows {
  uint8_t* codes;  // [R, padded] int8 or 16-bit floats
  float* scales;   // [R, padded / 32] of kBytes
  int16_t* sums;   // [R, padded / 16] of kBytes: sums of codes
  RowKind kind;
  int32_t padded;  // K, filled up with zeros
};

struct GatherRowsArgs {
  const StepHeader* step;
  const uint8_t* table;
  float* out;  // [R, K]
  int32_t format, n_rows, n_inputs;
  int32_t unused = 0;
};
struct SelectRowsArgs {
  const StepHeader* step;
  const float* from;
  float* out;
  int32_t n_rows, width;
};
struct RmsNormArgs {
  float* x;
  const float* delta;  // or null
  const float* weight;
  float* out;
  PreparedRows prepared;
  float epsilon;
  int32_t n_rows, width;
  int32_t unused = 0;
};
struct PrepareRowsArgs {
  const float* x;
  PreparedRows prepared;
  int32_t n_rows, width;
};
struct LinearOutputArgs {
  const uint8_t* weight;
  const float* bias;   // or null
  float* y;            // [R, N]
  int32_t n_outputs;   // N
  int32_t n_slices;    // of K
  int32_t first_cta;   // of this output
  int32_t first_tile;  // of its panels of 128 outputs, in the workspace's counters
};
struct LinearArgs {
  LinearOutputArgs outputs[kMaxOutputs];
  PreparedRows rows;
  float* workspace;   // partial sums of slices
  int32_t* counters;  // [panels x token tiles] zero before and after
  int32_t n_used;     // outputs
  int32_t format, n_rows, n_chunks;
  int32_t serial_slices;  // 1: a block takes all slices of its tile, one after the other
  int32_t token_tile;     // rows of a block: 8, 32 or 128
  int32_t n_ctas;         // per tile of rows
  int32_t unused = 0;
};
struct CheckFiniteArgs {
  const float* x;
  const float* delta;
  uint8_t* out;
  int32_t n_rows, width;
};
struct SiluMulArgs {
  const float* gate;
  const float* up;
  float* out;
  PreparedRows prepared;
  int32_t n_rows, width;
};
struct KvWriteArgs {
  const StepHeader* step;
  KvStore store;
  RopeTable rope;
  const float* k;
  const float* v;
  int32_t layer, n_targets;
};
constexpr int kMaxCopies = 16;  // of one launch
struct KvCopyArgs {
  KvStore store;
  KvCopy copies[kMaxCopies];
  int32_t n_copies, unused = 0;
};
struct KvGatherArgs {
  KvStore plain, edited;
  const KvMove* moves;
  int32_t n_moves;
};
struct KvMergeArgs {
  KvStore plain, edited;
  const KvMerge* merges;
  const KvMergeSource* sources;
  int32_t n_merges;
};
struct KeepQueriesArgs {
  const StepHeader* step;
  RopeTable rope;
  const float* q;
  int32_t layer, n_kept, n_heads, head_dim;
};
struct KvSignalArgs {
  KvStore plain, edited;
  const uint32_t* before;  // null: no edited table
  const uint32_t* slabs;
  const float* queries;
  float* workspace;  // [L G, 2, n_keys] scores and shares, or lengths of keys
  float* out;        // [L G, planes, n_keys]
  int64_t layer_stride;
  MatchShape match;
  KeySignal signal;
  int32_t first_index, n_text, n_keys;
  int32_t n_rows, first_row, row_stride, n_heads, window;
  float scale_log2;
};
struct UpdateSlabsArgs {
  const StepHeader* step;
};
struct AttentionArgs {
  const StepHeader* step;
  RopeTable rope;
  const float* q;
  float* partials;  // see device/partials.h
  int32_t*
      counters;  // [3] bundles taken, pieces done, blocks that have left; zero before and after
  int32_t plan, layer, n_heads, n_kv_heads, head_dim;
  float scale_log2;
};
struct AttentionMergeArgs {
  const StepHeader* step;
  float* partials;
  float* out;
  PreparedRows prepared;
  int32_t plan, n_rows, n_heads, head_dim;
};
struct SampleArgs {
  const StepHeader* step;
  const LogitEdit* edits;
  const uint32_t* masks;
  const float* logits;  // [R, V]
  float* edited;        // [R, V] memory for rows with edits or a mask
  SampledToken* out;    // [R]
  SampledToken* top;    // [R, kMaxTopTokens]
  int32_t n_rows, vocabulary;
};

/** One op with its arguments; compared and hashed as bytes, so there is no padding in them. */
struct Launch {
  Op op = Op::kGatherRows;
  int32_t size = 0;
  alignas(8) uint8_t args[320] = {};

  template <typename Args>
  static Launch of(Op op, const Args& args) {
    static_assert(sizeof(Args) <= sizeof(Launch::args) && std::is_trivially_copyable_v<Args>);
    Launch launch;
    launch.op = op;
    launch.size = sizeof(Args);
    std::memcpy(launch.args, &args, sizeof(Args));
    return launch;
  }
  template <typename Args>
  Args as() const {
    Args result;
    std::memcpy(&result, args, sizeof(Args));
    return result;
  }
};

// ---- The library.

struct DeviceInfo {
  char name[256];
  int32_t major, minor;  // compute capability
  int32_t n_multiprocessors;
  int32_t ordinal;  // CUDA's number of it
  uint64_t total_bytes;
};

struct Device;
struct Graph;

/** 0, or CUDA's number of the error; `last_error` says it in words. After a device's error nothing
 * on it can be trusted. */
using Status = int32_t;
constexpr Status kOutOfMemory = 2;  // cudaErrorMemoryAllocation

struct Library {
  uint32_t version;
  /** How many devices there are; if none, why. */
  int32_t (*count_devices)(char* why, int32_t capacity);
  Status (*describe)(int32_t index, DeviceInfo* info);
  Status (*open)(int32_t index, Device** device);
  void (*close)(Device* device);
  const char* (*last_error)(Status status);

  Status (*allocate)(Device* device, uint64_t bytes, void** address);
  void (*release)(Device* device, void* address);
  Status (*allocate_pinned)(Device* device, uint64_t bytes, void** address);
  void (*release_pinned)(Device* device, void* address);

  // All run in the order of the calls. Copies from and to the host wait unless it is pinned memory.
  Status (*write)(Device* device, void* to, const void* from, uint64_t bytes);
  Status (*read)(Device* device, void* to, const void* from, uint64_t bytes);
  Status (*fill)(Device* device, void* address, uint8_t byte, uint64_t bytes);
  Status (*run)(Device* device, const Launch* launches, int32_t n);
  Status (*make_graph)(Device* device, const Launch* launches, int32_t n, Graph** graph);
  Status (*run_graph)(Device* device, Graph* graph);
  void (*release_graph)(Device* device, Graph* graph);
  /** Returns when all earlier work is done. */
  Status (*wait)(Device* device);
  Status (*free_memory)(Device* device, uint64_t* bytes);
};

/** The one symbol that the library exports. */
using OpenLibrary = const Library* (*)();
constexpr const char* kOpenLibraryName = "cachalot_cuda_library";

}  // namespace cachalot::cuda
