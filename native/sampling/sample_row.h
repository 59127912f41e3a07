// Makes one row of the backend's sampler from the options of the row's request.
#pragma once

#include "backend/noise.h"
#include "backend/params.h"
#include "sampling/sampling_options.h"

namespace cachalot {

/** `position`: index of the token to draw. logit_edits makes the edits of its logits. */
inline SampleRow sample_row(const SamplingOptions& options, int position) {
  SampleRow row;
  row.temperature = options.temperature;
  row.top_k = options.top_k;
  row.typical_p = options.typical_p;
  row.top_p = options.top_p;
  row.min_p = options.min_p;
  row.noise_key = noise_key(options.seed, options.completion, position + options.noise_shift);
  row.n_top = options.n_top;
  return row;
}

}  // namespace cachalot
