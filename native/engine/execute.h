// One step through plan, model and sampler: everything that reads weights or KV.
#pragma once

#include "engine/sampler.h"
#include "model/decoder.h"

namespace cachalot {

/** What the model said of a step; the logits are valid until the next step. */
struct StepOutcome {
  ForwardOutput output;
  Samples samples;
};

StepOutcome execute_step(const Step& step, Decoder& model, Backend& backend, const KvStore& store);

}  // namespace cachalot
