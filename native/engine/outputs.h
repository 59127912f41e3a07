// The outputs of a step's rows: how they are drawn, and where the results go.
#pragma once

#include <optional>

#include "backend/params.h"
#include "engine/active_request.h"
#include "schedule/step.h"

namespace cachalot {

/** How the outputs of a step's rows are to be drawn, in order of rows. */
struct SamplePlan {
  std::vector<SampleRow> rows;
  std::vector<LogitEdit> edits;  // those of all rows
  std::vector<uint32_t> masks;   // the same
  bool wants_top = false;        // some row reports its likeliest tokens
};
SamplePlan plan_samples(const Step& step);

/** The tokens that the backend drew for a step. */
struct Samples {
  std::vector<SampledToken> tokens;  // one per output
  std::vector<SampledToken> top;     // [outputs, kMaxTopTokens], or empty
};

/** Takes the outputs of one entry: appends the token to its sequence and to `events`, or the values
 * to its request. `logits`: [outputs, V] of the step. Returns why the sequence ends, if it does.
 * Throws not_a_number if a row has no finite logit. */
std::optional<FinishReason> accept_outputs(const StepEntry& entry, const Samples& samples,
                                           const float* logits, int vocabulary, StepEvents* events);

/** How far a sequence's guesses were right. */
struct DraftOutcome {
  int node = -1;                       // the last right one of its draft; -1: none was
  std::optional<FinishReason> reason;  // why the sequence ends, if it does
};

/** After the output of its own row: goes on along the draft, as long as what was drawn is what was
 * guessed. `finite`: of the step's rows. Throws not_a_number as plain decoding would, for rows of
 * right guesses only. */
DraftOutcome accept_draft(const StepEntry& entry, const StepDraft& draft, const Samples& samples,
                          std::span<const uint8_t> finite, StepEvents* events);

Error not_a_number(const char* what);

}  // namespace cachalot
