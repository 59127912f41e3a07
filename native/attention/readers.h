// Which rows of a step read the same keys: a tree of maximal ranges of parts, each with its
// readers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "attention/costs.h"
#include "backend/plan_records.h"

namespace cachalot {

/** A row of a step, and where it stands in its context. */
struct PlanRow {
  int32_t row, position;
};

/** Rows that read one context, at ascending positions. Each reads the keys at or before its own
 * position.
 *
 * With a window of its own (StreamingLLM, Xiao et al. 2023) a row reads the last `window` positions
 * and the first `n_sinks`. The sinks come first, as parts of their own; a row whose window reaches
 * back to them reads no such part, but all of the others. */
struct PlanSequence {
  std::span<const ContextPart> parts;  // in order; the last holds the rows' own keys
  std::span<const PlanRow> rows;
  int n_sinks = 0, window = 0;  // positions; 0: no window
  int n_sink_parts = 0;         // the first of the parts
  // Tiles of the last part that may be shared: the list names others that have been freed, and that
  // may be somebody else's by now. No row reads those.
  int n_known_tiles = INT32_MAX;

  /** The first position after the sinks that a row reads; 0 if it needs no sinks. */
  int window_begin(int position) const {
    return window == 0 || position < n_sinks + window ? 0
                                                      : std::max(n_sinks, position + 1 - window);
  }
};

/** A part, as one sequence reads it. */
struct Reader {
  int32_t sequence, part;
  int32_t n_tiles;  // that others may read, too
};

/** Tiles [first_tile, end_tile) of parts that hold the same blocks there. */
struct SharedRange {
  int32_t first_tile, end_tile;
  int32_t first_reader, n_readers;  // in ReaderTree::readers; at least two
  int32_t n_rows;                   // of all readers
  int32_t depth;                    // ranges above it
  std::vector<int32_t> children;    // ranges that continue it, of some of its readers
  bool grouped = true;              // its readers read it together
  // Microseconds per layer if the readers read it together, and if each reads it alone.
  double grouped_us = 0, separate_us = 0;
};

struct ReaderTree {
  std::vector<Reader> readers;      // those that share are beside each other
  std::vector<SharedRange> ranges;  // parents first
  std::vector<int32_t> tops;        // ranges that begin at the first tile
};

/** The list of addresses that tables name ranges of, as one class of layers reads it. */
struct AddressList {
  std::span<const uint32_t> entries;
  uint32_t edited_offset = 0;  // of the class's entries, in those of an edited table

  /** How many tiles of a part rows read at most. */
  int n_tiles(const ContextPart& part) const;
};

/** A slab has one owner, so if two parts have equal addresses at one tile, they are equal up to
 * there. Parts whose scores are scaled in different ways are not. */
ReaderTree find_shared_ranges(std::span<const PlanSequence> sequences, const AddressList& list);

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
