// Counters and explanations that the engine's thread publishes for other threads.
#pragma once

#include <mutex>

#include "engine/explain.h"
#include "engine/step_work.h"

namespace cachalot {

/** Counters since the engine was made; a snapshot. */
struct EngineStats {
  uint64_t steps, rows, prompt_tokens, cached_tokens, generated_tokens;
  uint64_t drafted, accepted;  // tokens that were guessed and tried, and that were right
  int waiting, running, segments;
  uint64_t kv_bytes_in_use, kv_bytes, weight_bytes;
  uint64_t edits;              // of contexts
  uint64_t kv_bytes_edited;    // of what edits have left, as far as it is kept
  uint64_t kv_bytes_not_read;  // by reading shared prefixes together
  double host_us;              // scheduling and planning, all steps
  double step_us;              // all of the steps
  StepWork work;               // of all steps

  void add(const StepWork& step, double step_host_us, double whole_us) {
    host_us += step_host_us;
    step_us += whole_us;
    work.outputs += step.outputs;
    work.output_steps += step.output_steps;
    work.attended_keys += step.attended_keys;
    work.context_tokens += step.context_tokens;
  }
};

class Reports {
 public:
  void publish(const EngineStats& stats) {
    const std::lock_guard lock(mutex_);
    stats_ = stats;
  }
  void add(StepReport report) {
    const std::lock_guard lock(mutex_);
    explanation_.add(std::move(report));
  }

  void add(EditReport report) {
    const std::lock_guard lock(mutex_);
    explanation_.add(std::move(report));
  }

  EngineStats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  std::vector<StepReport> steps() const {
    const std::lock_guard lock(mutex_);
    return explanation_.steps();
  }
  std::vector<EditReport> edits() const {
    const std::lock_guard lock(mutex_);
    return explanation_.edits();
  }

 private:
  mutable std::mutex mutex_;
  EngineStats stats_{};
  Explanation explanation_;
};

}  // namespace cachalot
