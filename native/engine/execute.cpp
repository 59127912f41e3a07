#include "engine/execute.h"

#include "attention/plan.h"
#include "base/check.h"

namespace cachalot {

namespace {

ForwardOutput forward(const Step& step, Decoder& model, int parallelism, const KvStore& store) {
  std::vector<int32_t> tokens, output_rows;
  std::vector<KvTarget> targets;
  std::vector<PlanSequence> sequences;
  for (const auto& entry : step.entries) {
    CHECK(entry.tree.is_path(), "branching trees come with speculation");
    const Sequence& sequence = *entry.sequence;
    const int first = sequence.n_computed();
    sequences.push_back({entry.first_row, entry.tree.size(), first, sequence.runs});
    for (int i = 0; i < entry.tree.size(); i++) {
      const int index = first + i;
      tokens.push_back(entry.tree.tokens[static_cast<size_t>(i)]);
      targets.push_back(
          {sequence.runs[static_cast<size_t>(index / kTileTokens)], index % kTileTokens, index});
    }
    for (const int node : entry.output_nodes) output_rows.push_back(entry.first_row + node);
  }
  const ModelConfig& c = model.config();
  std::vector<AttentionPlan> plans;
  for (const int window : c.windows()) {
    plans.push_back(plan_attention(
        sequences, {c.n_heads / c.n_kv_heads(), c.n_kv_heads(), parallelism, window}));
  }
  return model.forward({tokens, targets, plans, output_rows}, store);
}

}  // namespace

StepOutcome execute_step(const Step& step, Decoder& model, Backend& backend, const KvStore& store) {
  const SamplePlan plan = plan_samples(step);
  StepOutcome outcome{forward(step, model, backend.parallelism(), store), {}};
  Samples& samples = outcome.samples;
  samples.tokens.resize(plan.rows.size());
  if (plan.wants_top) samples.top.resize(plan.rows.size() * kMaxTopTokens);
  backend.sample({outcome.output.logits, model.config().vocabulary, plan.rows,
                  samples.tokens.data(), plan.wants_top ? samples.top.data() : nullptr});
  return outcome;
}

}  // namespace cachalot
