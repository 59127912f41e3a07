// One step through plan, model and sampler: everything that reads weights or KV.
#pragma once

#include <functional>

#include "attention/plan.h"
#include "engine/outputs.h"
#include "kv/memory.h"
#include "model/decoder.h"

namespace cachalot {

/** How steps are carried out. */
struct ExecuteOptions {
  Grouping grouping = Grouping::kAuto;
  std::vector<AttentionCosts> costs{};  // for each class of layers; empty unless they choose
};

/** The results of a step; the logits are valid until the next step. */
struct StepOutcome {
  ForwardOutput output;  // logits on the host, if any request wants them there
  Samples samples;
  ReaderTree readers;  // those of the layers that read most
  double plan_us = 0;  // host time before the first op
};

/** `meanwhile` is called while the device works, if the backend is async. */
StepOutcome execute_step(const Step& step, const ExecuteOptions& options, Decoder& model,
                         Backend& backend, const KvMemory& kv,
                         const std::function<void()>& meanwhile);

}  // namespace cachalot
