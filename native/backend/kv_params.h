// One plain struct per op on stored keys and values; the names of sizes are those of params.h.
#pragma once

#include <cstdint>
#include <span>

#include "backend/edit_records.h"
#include "backend/kv_table.h"
#include "backend/plan_records.h"
#include "backend/rope_table.h"
#include "backend/signal_records.h"

namespace cachalot {

/** Rotates keys and writes K and V to the step's targets. */
struct KvWriteParams {
  KvStore store;  // of the layer's class
  RopeTable rope;
  int32_t layer;   // in its class
  const float* k;  // [R, G, D] not yet rotated
  const float* v;  // [R, G, D]
};

/** Copies tokens between slabs. Called between steps. */
struct KvCopyParams {
  std::span<const KvStore> stores;  // one per class of layers
  std::span<const KvCopy> copies;   // none reads what another one writes
};

/** Copies single keys into the blocks of edited parts. Called between steps. */
struct KvGatherParams {
  KvStore plain, edited;  // of a class of layers: where moves come from, and where they go
  std::span<const KvMove> moves;
};

/** Puts means of keys and values into slots that kv_gather has filled. Called between steps. */
struct KvMergeParams {
  KvStore plain, edited;
  std::span<const KvMerge> merges;
  std::span<const KvMergeSource> sources;
};

/** Rotates the queries of the step's kept rows by their positions, and keeps them. */
struct KeepQueriesParams {
  RopeTable rope;
  int32_t layer;              // of those that a KeptRow has room for
  int32_t n_heads, head_dim;  // H, D
  const float* q;             // [R, H, D] not yet rotated
};

/** What is known of the keys of a context: an edited table or none, then a text from its first
 * token on. Called between steps. */
struct KvSignalParams {
  KvStore plain{}, edited{};            // of a class of layers
  std::span<const uint32_t> before{};   // the entries of the edited table; empty: there is none
  std::span<const uint32_t> slabs{};    // of the text
  int32_t first_index = 0, n_text = 0;  // of the text's first token, from the context's; tokens
  KeySignal signal = KeySignal::kNorm;
  // kAttention, kSeldom
  const float* queries = nullptr;     // [L][rows][H, D] rotated
  int64_t layer_stride = 0;           // floats from one layer's queries to the next's
  int32_t n_rows = 0, first_row = 0;  // of tokens from this index on
  int32_t row_stride = 1;             // every so many
  int32_t n_heads = 0;                // H
  int32_t window = 0;                 // a row reads the last so many tokens; 0: all before it
  float scale = 0;                    // of q k^T
  MatchShape match{};                 // kMatch
  int32_t n_keys = 0;                 // the most of any head
  float* out = nullptr;               // [L, G, planes, n_keys] host memory, there on return
};

}  // namespace cachalot
