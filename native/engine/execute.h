// One step through plan, model and sampler: everything that reads weights or KV.
#pragma once

#include "attention/plan.h"
#include "engine/sampler.h"
#include "model/decoder.h"

namespace cachalot {

/** How steps are carried out. */
struct ExecuteOptions {
  Grouping grouping = Grouping::kAuto;
  AttentionCosts costs{};
  bool skip_attention = false;  // wrong results: what everything else costs, for benchmarks
};

/** What the model said of a step; the logits are valid until the next step. */
struct StepOutcome {
  ForwardOutput output;
  Samples samples;
  ReaderTree readers;  // of the layers that read most
  double plan_us = 0;  // host time before the first op
};

StepOutcome execute_step(const Step& step, const ExecuteOptions& options, Decoder& model,
                         Backend& backend, const KvStore& store);

}  // namespace cachalot
