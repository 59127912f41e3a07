// What an edit asks of the keys of a context, and of queries that have read them, as plain records.
// C headers only, and no padding.
#pragma once

#include <stdint.h>

namespace cachalot {

/** A row of the step whose queries are kept. `to`: those of the model's first layer, [H, D], in
 * memory of the backend; those of each further layer are `layer_stride` floats on. */
struct KeptRow {
  float* to;
  int64_t layer_stride;
  int32_t row;       // of the step
  int32_t position;  // angle at which they are rotated
};

/** What is known of each key of a head afterwards. */
enum class KeySignal : int32_t {
  kAttention,  // the probabilities with which some rows read it, summed over the rows, and the mean
               // of the query heads
  kSeldom,     // by how many of the rows it is read less than if they read all keys alike
  kNorm,       // its length
  kMatch,      // the cosine with the centre that is most like it, then the number of that centre's
               // key; -2 and -1 for keys that are not matched
};

/** Numbers that a signal has of each key. */
static constexpr int n_planes(KeySignal signal) { return signal == KeySignal::kMatch ? 2 : 1; }

/** Which keys of a head are matched with which: those from `first` on but for the last `last`, in
 * chunks of `chunk` keys. The last of every `stride` keys of a chunk is a centre; the others are
 * matched with the centres of their chunk. */
struct MatchShape {
  int32_t first, last;
  int32_t chunk, stride;
};

static_assert(sizeof(KeptRow) == 24 && sizeof(MatchShape) == 16, "records have no padding");

}  // namespace cachalot
