// The engine's thread: takes commands, runs steps through the model, sends events. Everything here
// belongs to that thread, except the objects that it shares by reference.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "engine/mailbox.h"
#include "engine/open_requests.h"
#include "engine/parts.h"
#include "engine/pins.h"
#include "engine/reports.h"
#include "schedule/batches.h"
#include "schedule/scheduler.h"

namespace cachalot {

class EngineLoop {
 public:
  EngineLoop(const EngineParts& parts, Mailbox& mailbox, OpenRequests& requests, Reports& reports,
             std::function<void(StepEvents)> sink);

  /** Returns when the mailbox is stopped, or the engine has failed. */
  void run();

 private:
  void take_commands(StepEvents* events);
  void handle(const Submit& command, StepEvents* events);
  void handle(const Cancel& command, StepEvents* events);
  void handle(const Unpin& command, StepEvents* events);
  void handle(BeginBatch& command, StepEvents* events);
  void handle(const SkipBatchItem& command, StepEvents* events);
  void handle(const ClearCache& command, StepEvents* events);
  void pass_time(StepEvents* events);

  void run_step(StepEvents* events);
  void announce(Sequence& sequence);
  void settle(Step* step, const StepOutcome& outcome, StepEvents* events);
  std::optional<FinishReason> settle_entry(Step* step, const StepEntry& entry,
                                           const StepOutcome& outcome, StepEvents* events);
  void tell_drafter(const Step& step, const StepEntry& entry, const StepDraft* draft, int node,
                    size_t n_before, const Samples& samples) noexcept;
  void end_drafter(Sequence* sequence) noexcept;
  void report(const Step& step, const StepOutcome& outcome, double host_us, double step_ms);
  void publish_stats();
  void deliver();

  void end_well(Sequence& sequence, FinishReason reason, StepEvents* events);
  void finish(Sequence& sequence, FinishReason reason, const Error* error, StepEvents* events);
  void refuse(Sequence& sequence, StepEvents* events);
  void fail_step(const Step& step, const Error& error, StepEvents* events);
  void fail_engine(const Error& why, StepEvents* events) noexcept;
  void abort(Sequence& sequence, StepEvents* events);
  void tell_attention(ActiveRequest* active);
  void keep(ActiveRequest* active);
  void make_last_edit(ActiveRequest* active);
  void end_batch_item(const ActiveRequest& active);
  /** Milliseconds since the engine was made: the clock of deadlines and times to live. */
  int64_t on_clock(Clock::time_point time) const;

  const Clock::time_point made_ = Clock::now();
  const EngineParts& parts_;
  Mailbox& mailbox_;
  OpenRequests& requests_;
  Reports& reports_;
  std::function<void(StepEvents)> sink_;

  Scheduler scheduler_;
  Pins pins_;
  Batches batches_;
  EngineStats counters_{};
  StepEvents undelivered_;  // of the step before
  bool has_failed_ = false;
};

}  // namespace cachalot
