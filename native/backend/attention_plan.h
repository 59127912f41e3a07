// Who reads which keys in one step: plain arrays that kernels walk, the same for every layer.
//
// Arithmetic (docs/decisions/0001): a *tile* is 32 keys, one online-softmax step. Tiles chain in
// order inside a *span* of 256 keys, which starts fresh. Spans fold left to right inside a *group*
// of 16; groups fold left to right. So a row's result depends on its context alone, however work is
// cut. An item begins at a span, or inside one where another item left off: its rows resume that
// item's partials. An item that does not begin a group ends with its first span.
#pragma once

#include <cstdint>
#include <vector>

namespace cachalot {

constexpr int kTileTokens = 32;  // also the tokens of a KV block
constexpr int kSpanTokens = 256;
constexpr int kGroupTokens = 16 * kSpanTokens;
constexpr int kSpanTiles = kSpanTokens / kTileTokens;

/** A piece of context that the same rows read: blocks in context order. */
struct ContextRun {
  const uint32_t* blocks;  // [n_blocks] address of each block of 32 tokens, see KvStore
  int32_t n_tokens;
  int32_t first_position;  // logical position of its first token; the others follow
};

/** One row of an item: which row of the step, and how much of the run it reads. */
struct ItemRow {
  int32_t row;        // in the step
  int32_t first_key;  // it reads keys [first_key, end_key) of the run
  int32_t end_key;
  int32_t query_position;  // angle at which its query is rotated: row_position - shift of the run
  int32_t resumes;         // the partial that its first span continues; -1: none
};

/** (rows, context run, span range): computed once per KV head. Covers spans of one group only. */
struct WorkItem {
  int32_t run;
  int32_t first_row, n_rows;     // in item_rows
  int32_t first_tile, end_tile;  // of the run
  int32_t first_partial;         // row i of the item writes partial first_partial + i
};

/** One item for some KV heads: what a thread (or a block of them) does at a time. */
struct AttentionPiece {
  int32_t item;
  int32_t first_head, n_heads;
};

/** Partials of one row in context order: those of one group fold first, then the groups. */
struct MergeEntry {
  int32_t partial;
  int32_t group;
};

struct AttentionPlan {
  std::vector<ContextRun> runs;
  std::vector<WorkItem> items;
  std::vector<ItemRow> item_rows;
  std::vector<AttentionPiece> pieces;  // in the order of their phases
  std::vector<int32_t> phase_ends;     // of pieces: a phase resumes what phases before it left
  std::vector<int32_t> merge_begin;    // [R + 1] in merge_entries
  std::vector<MergeEntry> merge_entries;
  int32_t n_partials = 0;
  int32_t heads_per_kv_head = 1;  // queries of a row that read the same keys
};

}  // namespace cachalot
