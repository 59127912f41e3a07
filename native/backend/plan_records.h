// The inputs of a step besides weights and KV, as plain records. The host fills arrays of them; the
// CPU reads the arrays where they are, a GPU gets copies of the same bytes. C headers only, and no
// padding, because the addon and the CUDA library need not share a compiler.
#pragma once

#include <math.h>
#include <stdint.h>

#include "backend/kv_table.h"

namespace cachalot {

/** A part of a context: consecutive tokens whose KV was computed together. A context is a list of
 * parts. The last one is open: its sequence writes there. The others are sealed, and wholly in the
 * past of its rows. A part counts its tiles, spans and span groups from key 0 of its own table. */
struct ContextPart {
  KvTable table;
  int32_t first_key, end_key;  // its tokens; a sealed part's table holds zeros outside of them
  int32_t position;            // logical position of token 0 for the part's readers
  int32_t shift;               // `position` minus the one by which key 0 was rotated
  // Queries are rotated as if no row stood after this position, which is not before the part's last
  // token (LM-Infinite, Han et al. 2024).
  int32_t last_position = INT32_MAX;
  float sharpness = 1.0f;  // scores are multiplied by it: 1 / temperature (APE, Yang et al. 2025)
  // Neighbours with one number >= 0 are a blend: they fold together, and the lse2 of all of them is
  // multiplied by the first one's `lse_factor` before they merge with the rest (APE). A factor of 1
  // makes no blend.
  int32_t blend = -1;
  float lse_factor = 1.0f;
};

/** (rows, part, span range): computed once per KV head. Covers spans of one span group only. */
struct WorkItem {
  int32_t part;
  int32_t first_row, n_rows;     // in the plan's item rows
  int32_t first_tile, end_tile;  // of the part
  int32_t first_partial;         // row i of the item writes partial first_partial + i
};

/** One row of an item: which row of the step, and how much of the part it reads. */
struct ItemRow {
  int32_t row;        // in the step
  int32_t first_key;  // the row reads tokens [first_key, end_key) of the part, as far as the part
  int32_t end_key;    // has them
  int32_t query_position;  // angle at which its query is rotated: row position - the part's shift
  int32_t resumes;         // the partial that its first span continues; -1: none
};

/** One item for some KV heads: the work that a thread (or a block of threads) takes at a time. */
struct AttentionPiece {
  int32_t item;
  int32_t first_head, n_heads;
};

/** Partials of one row in context order: those of one span group fold first, then the span groups.
 */
struct MergeEntry {
  int32_t partial;
  int32_t span_group;  // counted over all parts of the context that the row reads
  int32_t blend;       // in AttentionPlan::blend_factors; -1: none
};

/** Where a row's key and value go. Slot 0 of a block clears the block first, so absent keys are
 * zeros. A row of a draft that branches has several: one in each of its branches. */
struct KvTarget {
  uint32_t slab;     // its address
  int32_t slot;      // 0..31
  int32_t position;  // angle at which the key is rotated
  int32_t row;       // of the step
};

/** Copies slots [first_slot, end_slot) of a slab, all layers and heads, to the same slots of
 * another, and clears the rest of that one. They may be one slab: then its other slots are cleared.
 */
struct KvCopy {
  uint32_t from, to;             // addresses of slabs
  int32_t first_slot, end_slot;  // 0 <= first < end <= 32
};

/** Entries of the step's list of addresses that are new since the last step. */
struct SlabRange {
  uint32_t first, n;
};

/** A change to one logit: first it is divided (or, if negative, multiplied) by `repetition`, then
 * `add` is added, and `pull` times the probability that the model itself gives the token is
 * subtracted. */
struct LogitEdit {
  int32_t token;
  float repetition = 1;
  float add = 0;
  float pull = 0;
};

/** How one row's token is drawn, in this order: edits; mask; temperature; top-k; typical; top-p;
 * min-p, each over the tokens that the one before left; then the argmax of logit / temperature +
 * Gumbel noise keyed by (seed, completion, position, token), so that the draw depends on nothing
 * else. Temperature 0 takes the largest edited logit, the smallest id among equals. */
struct SampleRow {
  uint64_t noise_key = 0;  // see noise_key(seed, completion, position) in backend/noise.h
  float temperature = 0;
  float typical_p = 1;        // mass of the tokens nearest the entropy (Meister et al. 2022)
  float top_p = 1;            // mass of the likeliest tokens (Holtzman et al. 2019)
  float min_p = 0;            // share of the likeliest token's probability (Nguyen et al. 2024)
  int32_t top_k = 0;          // the k likeliest; 0: all (Fan et al. 2018)
  int32_t forced_token = -1;  // >= 0: only its log-probability is wanted
  int32_t n_top = 0;          // likeliest tokens to report, at most kMaxTopTokens
  int32_t first_edit = 0, n_edits = 0;  // of distinct tokens, in SampleParams::edits
  int32_t mask = -1;  // >= 0: tokens without a bit in this one of SampleParams::masks are not drawn
};
constexpr int kMaxTopTokens = 20;
/** 32-bit words of a mask: token v is bit v % 32 of word v / 32. */
constexpr size_t mask_words(int32_t vocabulary) {
  return (static_cast<size_t>(vocabulary) + 31) / 32;
}
constexpr int32_t kNoNumber = -1, kNothingAllowed = -2;

struct SampledToken {
  int32_t token;  // or kNoNumber: the row has no finite logit or a NaN; or kNothingAllowed
  float logprob;  // natural logarithm, of the model's own distribution: no edits, temperature 1
};

static_assert(sizeof(ContextPart) == sizeof(void*) + 72 && sizeof(WorkItem) == 24 &&
                  sizeof(ItemRow) == 20 && sizeof(AttentionPiece) == 12 &&
                  sizeof(MergeEntry) == 12 && sizeof(KvTarget) == 16 && sizeof(KvCopy) == 16 &&
                  sizeof(LogitEdit) == 16 && sizeof(SampleRow) == 48 && sizeof(SampledToken) == 8,
              "records have no padding");

}  // namespace cachalot
