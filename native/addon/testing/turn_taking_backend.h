// An engine whose decoding steps take turns: as the engine has chosen, with each sequence reading
// its context alone, and without attention. So one run, on the same sequences and in neighbouring
// steps, shows how much reading together gains and how much time is left above the bound.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "addon/testing/forwarding_backend.h"
#include "attention/plan.h"
#include "model/config.h"

namespace cachalot::addon {

/** How a decoding step is carried out. Without attention its results are wrong. */
enum class Turn { kChosen, kApart, kNoAttention };

/** One decoding step. */
struct TimedStep {
  Turn turn;
  int rows;
  bool is_grouped;  // the engine's plan: some sequences read a range together
  double ms;        // from its first op until all are done; planning is not in it
};

/** The JavaScript thread's side of one engine's steps: it sets turns and takes times. */
class StepTurns {
 public:
  /** Decoding steps take these turns, one after the other, from the next one on. */
  void take(std::vector<Turn> turns);
  Turn next();
  void add(const TimedStep& step);
  /** The steps since the last call. */
  std::vector<TimedStep> steps();

 private:
  std::mutex mutex_;
  std::vector<Turn> turns_{Turn::kChosen};
  size_t n_taken_ = 0;
  std::vector<TimedStep> steps_;
};

/** Changes the plans of decoding steps; all other steps are as they are. */
class TurnTakingBackend final : public ForwardingBackend {
 public:
  TurnTakingBackend(std::unique_ptr<Backend> inner, const ModelConfig& config,
                    std::shared_ptr<StepTurns> turns);

  void begin_step(const StepTables& tables) override;
  void wait() override;
  void attention(const AttentionParams& params) override;
  void attention_merge(const AttentionMergeParams& params) override;

 private:
  PlanShape shape_of(const LayerClass& layers) const;
  AttentionPlan plan_apart(const AttentionPlan& plan, const LayerClass& layers) const;
  void make_room();

  int n_heads_, largest_head_dim_;
  std::vector<LayerClass> classes_;
  std::shared_ptr<StepTurns> turns_;

  bool is_timed_ = false;  // the step is a decoding one
  TimedStep step_{};
  std::chrono::steady_clock::time_point start_;
  std::span<const AttentionPlan> given_;  // of the step
  std::span<const uint32_t> slabs_;       // of the step
  std::vector<AttentionPlan> plans_;      // in their place; empty: none is changed
  std::unique_ptr<Buffer> partials_;      // of plans_
  const float* zeroed_ = nullptr;         // zeros in place of all results of attention
};

}  // namespace cachalot::addon
