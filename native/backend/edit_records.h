// What an edit does to keys and values, as plain records: single keys go from where they are stored
// into the blocks of an edited part. A block's address counts units from the base of its store,
// which is that of plain slabs or that of edited blocks. C headers only, and no padding.
#pragma once

#include <stdint.h>

namespace cachalot {

/** One key of one (layer, KV head). */
struct KvPlace {
  uint32_t block;     // address
  int32_t slot;       // 0..31
  int32_t is_edited;  // whether the block is one of an edited part
};

/** A key and its value, copied as they are stored, and what the new block notes of the key. The
 * moves into one block are beside each other, from slot 0 on; the slots after them are cleared. */
struct KvMove {
  KvPlace from;
  uint32_t to;  // address of an edited block
  int32_t slot;
  int32_t index;  // see KeyNotes
  float weight;
};

/** Sources [first_source, first_source + n_sources) become one key and value: their means. */
struct KvMerge {
  uint32_t to;  // address of an edited block, whose slot has its notes
  int32_t slot;
  int32_t first_source, n_sources;
};

struct KvMergeSource {
  KvPlace from;
  float share;  // of the mean; those of a merge sum up to 1
};

static_assert(sizeof(KvPlace) == 12 && sizeof(KvMove) == 28 && sizeof(KvMerge) == 16 &&
                  sizeof(KvMergeSource) == 16,
              "records have no padding");

}  // namespace cachalot
