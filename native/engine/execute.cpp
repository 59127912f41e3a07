#include "engine/execute.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace cachalot {

namespace {

/** The step as plain arrays. */
struct StepRows {
  std::vector<int32_t> tokens, output_rows;
  std::vector<KvTarget> targets;
  std::vector<PlanSequence> sequences;

  explicit StepRows(const Step& step) {
    for (const auto& entry : step.entries) {
      CHECK(entry.tree.is_path(), "branching trees come with speculation");
      const Sequence& sequence = *entry.sequence;
      const int first = sequence.n_computed();
      sequences.push_back({entry.first_row, entry.tree.size(), first, sequence.slabs});
      for (int i = 0; i < entry.tree.size(); i++) {
        const int index = first + i;
        tokens.push_back(entry.tree.tokens[static_cast<size_t>(i)]);
        targets.push_back(
            {sequence.slabs[static_cast<size_t>(index / kTileTokens)], index % kTileTokens, index});
      }
      for (const int node : entry.output_nodes) output_rows.push_back(entry.first_row + node);
    }
  }
};

/** Whether the host reads the logits, and not only the tokens that were sampled from them. */
bool wants_logits(const Step& step) {
  return std::any_of(step.entries.begin(), step.entries.end(), [](const StepEntry& entry) {
    return entry.sequence->demand.output() == OutputKind::kLogits && !entry.output_nodes.empty();
  });
}

std::vector<AttentionPlan> plan_layers(const StepRows& rows, const ExecuteOptions& options,
                                       const ModelConfig& c, int parallelism, ReaderTree* readers) {
  const PlanShape shape{c.n_heads / c.n_kv_heads(), c.n_kv_heads(), parallelism};
  std::vector<AttentionPlan> plans;
  for (const int window : c.windows()) {
    const PlanOptions how{shape, window, options.grouping, &options.costs};
    ReaderTree tree;
    plans.push_back(plan_attention(rows.sequences, how, &tree));
    if (plans.size() == 1 || window == 0) *readers = std::move(tree);
  }
  return plans;
}

}  // namespace

StepOutcome execute_step(const Step& step, const ExecuteOptions& options, Decoder& model,
                         Backend& backend, const KvStore& store,
                         const std::function<void()>& meanwhile) {
  const auto start = Clock::now();
  model.weights().check_files();
  StepOutcome outcome;
  const StepRows rows(step);
  const auto plans =
      plan_layers(rows, options, model.config(), backend.parallelism(), &outcome.readers);
  const SamplePlan plan = plan_samples(step);
  outcome.plan_us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  outcome.output = model.forward({rows.tokens, rows.targets, plans, rows.output_rows}, store);
  Samples& samples = outcome.samples;
  samples.tokens.resize(plan.rows.size());
  if (plan.wants_top) samples.top.resize(plan.rows.size() * kMaxTopTokens);
  backend.sample({outcome.output.logits, model.config().vocabulary, plan.rows, plan.edits,
                  samples.tokens.data(), plan.wants_top ? samples.top.data() : nullptr});
  backend.start();
  if (backend.is_async()) meanwhile();
  backend.wait();
  model.weights().check_files();  // again: if a file has changed, these results must be dropped
  if (wants_logits(step))
    outcome.output.logits = backend.host_view(
        outcome.output.logits, plan.rows.size() * static_cast<size_t>(model.config().vocabulary));
  return outcome;
}

}  // namespace cachalot
