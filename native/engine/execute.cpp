#include "engine/execute.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace cachalot {

namespace {

/** The step as attention sees it, as plain arrays. */
struct StepRows {
  std::vector<KvTarget> targets;
  std::vector<PlanRow> rows;
  std::vector<PlanSequence> sequences;
  std::vector<SlabRange> new_slabs;
  std::vector<KeptRow> kept;

  explicit StepRows(const Step& step) {
    rows.reserve(static_cast<size_t>(step.n_rows()));  // sequences point into it
    targets.reserve(rows.capacity());
    sequences.reserve(step.entries.size());
    auto draft = step.drafts.begin();
    for (size_t i = 0; i < step.entries.size(); i++) {
      const StepEntry& entry = step.entries[i];
      Context& context = *entry.sequence->context;
      const int first = context.n_computed();
      for (int j = 0; j < entry.n_rows; j++) add_row(context, first + j, entry.first_row + j);
      keep_queries(entry, first);
      int n_rows = entry.n_rows;
      const bool has_draft = draft != step.drafts.end() && draft->entry == static_cast<int>(i);
      if (has_draft) {
        for (const int node : draft->paths.front().nodes)
          add_row(context, first + n_rows++, draft->row_of(node, entry));
      }
      add_sequence(context, context.parts(), n_rows);
      context.for_each_list([&](const SlabList& list) { add_list(list); });
      if (has_draft) add_branches(*draft++, entry);
    }
    // Sequences below one preamble have the same lists.
    const auto first = [](const SlabRange& range) { return range.first; };
    std::ranges::sort(new_slabs, {}, first);
    const auto again = std::ranges::unique(new_slabs, {}, first);
    new_slabs.erase(again.begin(), again.end());
  }

  void add_row(const Context& context, int index, int row) {
    targets.push_back(context.target(index, row));
    rows.push_back({row, context.position_of(index)});
  }

  /** The last n_rows read these parts. */
  void add_sequence(const Context& context, std::span<const ContextPart> parts, int n_rows) {
    const auto& [n_sinks, window] = context.window();
    sequences.push_back({parts, std::span(rows).last(static_cast<size_t>(n_rows)), n_sinks, window,
                         context.n_sink_parts(), context.n_known_tiles()});
  }

  void add_list(const SlabList& list) {
    if (const auto unseen = list.unseen()) new_slabs.push_back(*unseen);
  }

  /** The ways through a draft that have slabs of their own: every row of a way is written there,
   * and its last ones, which no other way has before, read there. */
  void add_branches(const StepDraft& draft, const StepEntry& entry) {
    const Context& context = *entry.sequence->context;
    for (const DraftPath& path : draft.paths) {
      if (!path.branch) continue;
      int index = context.n_computed();
      const auto write = [&](int row) {
        targets.push_back(
            {path.branch->slab_of(index), index % kTileTokens, context.position_of(index), row});
      };
      write(entry.first_row);
      int n_own = 0;
      for (size_t i = 0; i < path.nodes.size(); i++) {
        index++;
        const int row = draft.row_of(path.nodes[i], entry);
        write(row);
        if (static_cast<int>(i) < path.n_shared) continue;
        rows.push_back({row, context.position_of(index)});
        n_own++;
      }
      add_sequence(context, path.branch->parts(), n_own);
      add_list(path.branch->list());
    }
  }

  /** Of the entry's rows, whose first is row `first` of its text. */
  void keep_queries(const StepEntry& entry, int first) {
    const KeptQueries* queries = entry.sequence->queries.get();
    if (queries == nullptr) return;
    const int64_t width = queries->layer_stride / queries->n_rows;
    for (int i = std::max(0, queries->first_row - first); i < entry.n_rows; i++) {
      const int after = first + i - queries->first_row;
      const int n = after / queries->stride;
      if (after % queries->stride != 0 || n >= queries->n_rows) continue;
      kept.push_back({queries->memory->floats() + n * width, queries->layer_stride,
                      entry.first_row + i, entry.sequence->context->position_of(first + i)});
    }
  }
};

/** The device has the lists of all contexts of the step. */
void mark_seen(const Step& step) {
  for (const auto& entry : step.entries)
    entry.sequence->context->for_each_list([](SlabList& list) { list.mark_seen(); });
}

/** Whether the host reads the logits, and not only the tokens that were sampled from them. */
bool wants_logits(const Step& step) {
  return std::any_of(step.entries.begin(), step.entries.end(), [](const StepEntry& entry) {
    return entry.sequence->demand.output() == OutputKind::kLogits && entry.n_outputs > 0;
  });
}

std::vector<AttentionPlan> plan_layers(const StepRows& rows, const ExecuteOptions& options,
                                       const ModelConfig& config, int parallelism,
                                       const KvMemory& kv, ReaderTree* readers) {
  std::vector<AttentionPlan> plans;
  const auto classes = config.classes();
  AddressList list{kv.lists.entries()};
  for (size_t i = 0; i < classes.size(); i++) {
    const auto& [window, n_kv_heads, head_dim, n_layers] = classes[i];
    const PlanOptions how{{config.n_heads / n_kv_heads, n_kv_heads, parallelism},
                          window,
                          kv.pool.stores()[i],
                          options.grouping,
                          options.costs.empty() ? nullptr : &options.costs[i],
                          kv.pool.edited_stores()[i]};
    ReaderTree tree;
    plans.push_back(plan_attention(rows.sequences, list, how, &tree));
    list.edited_offset += n_edited_entries(how.edited_store);
    if (i == 0 || window == 0) *readers = std::move(tree);
  }
  return plans;
}

}  // namespace

StepOutcome execute_step(const Step& step, const ExecuteOptions& options, Decoder& model,
                         Backend& backend, const KvMemory& kv,
                         const std::function<void()>& meanwhile) {
  const auto start = Clock::now();
  model.weights().check_files();
  StepOutcome outcome;
  const StepRows rows(step);
  const auto plans =
      plan_layers(rows, options, model.config(), backend.parallelism(), kv, &outcome.readers);
  const SamplePlan plan = plan_samples(step);
  outcome.plan_us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  outcome.output = model.forward({step.tokens, rows.targets, kv.lists.entries(), rows.new_slabs,
                                  plans, step.output_rows, rows.kept},
                                 kv.pool.stores());
  Samples& samples = outcome.samples;
  samples.tokens.resize(plan.rows.size());
  if (plan.wants_top) samples.top.resize(plan.rows.size() * kMaxTopTokens);
  backend.sample({outcome.output.logits, model.config().vocabulary, plan.rows, plan.edits,
                  plan.masks, samples.tokens.data(),
                  plan.wants_top ? samples.top.data() : nullptr});
  backend.start();
  mark_seen(step);
  if (backend.is_async()) meanwhile();
  backend.wait();
  model.weights().check_files();  // again: if a file has changed, these results must be dropped
  if (wants_logits(step))
    outcome.output.logits = backend.host_view(
        outcome.output.logits, plan.rows.size() * static_cast<size_t>(model.config().vocabulary));
  return outcome;
}

}  // namespace cachalot
