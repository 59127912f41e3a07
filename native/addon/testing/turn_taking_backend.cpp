#include "addon/testing/turn_taking_backend.h"

#include <algorithm>
#include <utility>

namespace cachalot::addon {

namespace {

/** Every row of the step is the last token of a sequence of its own, and part i of a plan is the
 * whole context of row i. */
bool is_decoding(const StepTables& tables) {
  if (tables.plans.empty() || tables.tokens.empty()) return false;
  const auto& parts = tables.plans[0].parts;
  if (parts.size() != tables.targets.size()) return false;
  for (size_t i = 0; i < parts.size(); i++)
    if (parts[i].end_key != tables.targets[i].position + 1) return false;
  return true;
}

/** A plan of rows that read nothing: merging gives zeros for them. */
AttentionPlan plan_nothing(size_t n_rows, int heads_per_kv_head) {
  AttentionPlan plan;
  plan.merge_begin.assign(n_rows + 1, 0);
  plan.heads_per_kv_head = heads_per_kv_head;
  return plan;
}

bool reads_together(const AttentionPlan& plan) {
  return std::any_of(plan.items.begin(), plan.items.end(),
                     [](const WorkItem& item) { return item.n_rows > 1; });
}

}  // namespace

void StepTurns::take(std::vector<Turn> turns) {
  const std::lock_guard lock(mutex_);
  turns_ = std::move(turns);
  n_taken_ = 0;
}

Turn StepTurns::next() {
  const std::lock_guard lock(mutex_);
  return turns_[n_taken_++ % turns_.size()];
}

void StepTurns::add(const TimedStep& step) {
  const std::lock_guard lock(mutex_);
  steps_.push_back(step);
}

std::vector<TimedStep> StepTurns::steps() {
  const std::lock_guard lock(mutex_);
  return std::exchange(steps_, {});
}

TurnTakingBackend::TurnTakingBackend(std::unique_ptr<Backend> inner, const ModelConfig& config,
                                     std::shared_ptr<StepTurns> turns)
    : ForwardingBackend(std::move(inner)),
      n_heads_(config.n_heads),
      largest_head_dim_(config.largest_head_dim()),
      classes_(config.classes()),
      turns_(std::move(turns)) {}

void TurnTakingBackend::begin_step(const StepTables& tables) {
  plans_.clear();
  zeroed_ = nullptr;
  given_ = tables.plans;
  slabs_ = tables.slabs;
  is_timed_ = is_decoding(tables);
  StepTables changed = tables;
  if (is_timed_) {
    step_ = {turns_->next(), static_cast<int>(tables.tokens.size()),
             reads_together(tables.plans[0]), 0};
    for (size_t i = 0; i < given_.size() && step_.turn != Turn::kChosen; i++)
      plans_.push_back(
          step_.turn == Turn::kApart
              ? plan_apart(given_[i], classes_[i])
              : plan_nothing(tables.tokens.size(), shape_of(classes_[i]).heads_per_kv_head));
    make_room();
    if (!plans_.empty()) changed.plans = plans_;
  }
  start_ = std::chrono::steady_clock::now();
  ForwardingBackend::begin_step(changed);
}

void TurnTakingBackend::wait() {
  ForwardingBackend::wait();
  if (!std::exchange(is_timed_, false)) return;
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start_;
  step_.ms = took.count();
  turns_->add(step_);
}

// Ops name a plan by its index, so they read the plans that the step began with.
void TurnTakingBackend::attention(const AttentionParams& params) {
  if (plans_.empty()) return ForwardingBackend::attention(params);
  if (step_.turn == Turn::kNoAttention) return;
  AttentionParams changed = params;
  changed.partials = partials_->floats();
  ForwardingBackend::attention(changed);
}

void TurnTakingBackend::attention_merge(const AttentionMergeParams& params) {
  AttentionMergeParams changed = params;
  if (!plans_.empty()) {
    // All layers write attention's results to one buffer, so zeros are made only once and add
    // almost nothing to the bound.
    if (step_.turn == Turn::kNoAttention && std::exchange(zeroed_, params.out) == params.out)
      return;
    if (partials_ != nullptr) changed.partials = partials_->floats();
  }
  ForwardingBackend::attention_merge(changed);
}

PlanShape TurnTakingBackend::shape_of(const LayerClass& layers) const {
  return {n_heads_ / layers.n_kv_heads, layers.n_kv_heads, parallelism()};
}

AttentionPlan TurnTakingBackend::plan_apart(const AttentionPlan& plan,
                                            const LayerClass& layers) const {
  std::vector<PlanRow> rows;
  for (const ContextPart& part : plan.parts)
    rows.push_back({static_cast<int32_t>(rows.size()), part.end_key - 1});
  std::vector<PlanSequence> sequences;
  for (size_t i = 0; i < rows.size(); i++)
    sequences.push_back({std::span(plan.parts).subspan(i, 1), std::span(rows).subspan(i, 1)});
  return plan_attention(
      sequences, {slabs_},
      {shape_of(layers), layers.window, plan.parts[0].table.store, Grouping::kNever, nullptr});
}

void TurnTakingBackend::make_room() {
  size_t bytes = 0;
  for (const AttentionPlan& plan : plans_)
    bytes = std::max(bytes, static_cast<size_t>(plan.n_partials) * static_cast<size_t>(n_heads_) *
                                static_cast<size_t>(largest_head_dim_ + 2) * sizeof(float));
  if (bytes > 0 && (partials_ == nullptr || partials_->size() < bytes))
    partials_ = allocate(2 * bytes);
}

}  // namespace cachalot::addon
