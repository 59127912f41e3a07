// What becomes of a step's sampled tokens: walks each sequence's outputs and decides whether it
// goes on.
#pragma once

#include <optional>

#include "backend/params.h"
#include "engine/step.h"

namespace cachalot {

/** How the outputs of a step's rows are to be drawn, in order of rows. */
std::vector<SampleRow> sample_rows(const Step& step);

/** Takes the outputs of one entry: appends the token or the values to its sequence, the token to
 * `events`. Returns why the sequence ends, if it does. Throws not_a_number if a row has no finite
 * logit. */
std::optional<FinishReason> accept(const StepEntry& entry, const SampledToken* sampled,
                                   const float* logits, int vocabulary, int context_length,
                                   StepEvents* events);

}  // namespace cachalot
