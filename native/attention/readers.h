// Which rows of a step read the same keys: a tree of maximal context ranges, each with its readers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "attention/costs.h"

namespace cachalot {

/** Consecutive rows of a step that continue one context, in order: row i stands at position
 * first_position + i. */
struct PlanSequence {
  int32_t first_row, n_rows;
  int32_t first_position;           // tokens of context before the first row
  std::span<const uint32_t> slabs;  // addresses, one per 32 tokens, the rows' own included
};

/** Tiles [first_tile, end_tile) of at least two sequences, whose contexts hold the same slabs
 * there. */
struct SharedRange {
  int32_t first_tile, end_tile;
  int32_t first_reader, n_readers;  // in ReaderTree::order
  int32_t n_rows;                   // of all readers
  int32_t depth;                    // ranges above it
  std::vector<int32_t> children;    // ranges that continue it, of some of its readers
  bool grouped = true;              // its readers read it together
  // Microseconds per layer if the readers read it together, and if each reads it alone.
  double grouped_us = 0, separate_us = 0;
};

struct ReaderTree {
  std::vector<int32_t> order;       // sequences; those that share are beside each other
  std::vector<SharedRange> ranges;  // parents first
  std::vector<int32_t> tops;        // ranges that begin at the first tile
};

/** A slab has one owner in the radix tree, so equal addresses at one place mean equal contexts up
 * to there. */
ReaderTree find_shared_ranges(std::span<const PlanSequence> sequences);

/** The numbers that decide how rows are cut into items. */
struct PlanShape {
  int heads_per_kv_head;  // H / G
  int n_kv_heads;         // G
  int parallelism;        // threads or multiprocessors that work at the same time
};

/** Whole blocks of queries, and enough items for the heads that threads can share them evenly. */
int rows_per_item(int n_rows, const PlanShape& shape);

/** Decides for each range whether its readers (or each child's readers) read it on their own. */
void choose_groups(std::span<const PlanSequence> sequences, const AttentionCosts& costs,
                   const PlanShape& shape, ReaderTree* tree);

}  // namespace cachalot
