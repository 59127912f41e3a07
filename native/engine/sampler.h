// What becomes of a step's sampled tokens: walks each sequence's outputs and decides whether it
// goes on.
#pragma once

#include <optional>

#include "backend/params.h"
#include "engine/step.h"

namespace cachalot {

/** How the outputs of a step's rows are to be drawn, in order of rows. */
struct SamplePlan {
  std::vector<SampleRow> rows;
  std::vector<LogitEdit> edits;  // those of all rows
  bool wants_top = false;        // some row reports its likeliest tokens
};
SamplePlan plan_samples(const Step& step);

/** What the backend drew for a step. */
struct Samples {
  std::vector<SampledToken> tokens;  // one per output row
  std::vector<SampledToken> top;     // [rows, kMaxTopTokens], or empty
};

/** Takes the outputs of one entry: appends the token or the values to its sequence, the token to
 * `events`; the entry's outputs begin at `first_output`. Returns why the sequence ends, if it does.
 * Throws not_a_number if a row has no finite logit. */
std::optional<FinishReason> accept(const StepEntry& entry, const Samples& samples,
                                   size_t first_output, const float* logits, int vocabulary,
                                   int context_length, StepEvents* events);

}  // namespace cachalot
