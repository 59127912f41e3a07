#include "engine/loop.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/check.h"
#include "engine/outputs.h"

namespace cachalot {

namespace {

Error failure_of_engine(const Error& why) noexcept {
  // A GPU that has failed has failed for the whole process.
  const char* advice = why.code() == ErrorCode::kDeviceFailed
                           ? "); start the process again, or go on with device \"cpu\""
                           : "); load it again";
  try {
    return {why.code(), std::string("the engine has failed (") + why.what() + advice};
  } catch (...) {
    return why;  // no memory for more words
  }
}

}  // namespace

EngineLoop::EngineLoop(const EngineParts& parts, Mailbox& mailbox, OpenRequests& requests,
                       Reports& reports, std::function<void(StepEvents)> sink)
    : parts_(parts),
      mailbox_(mailbox),
      requests_(requests),
      reports_(reports),
      sink_(std::move(sink)),
      scheduler_(*parts.kv,
                 {parts.model->max_rows(), parts.model->max_outputs(), parts.options.max_step_ms,
                  parts.options.reuse, parts.files.config.widest_window(), parts.speculators,
                  parts.draft_model.get(), parts.options.always_drafts}),
      pins_(*parts.kv) {
  parts.kv->preambles.tell_edits([this](EditReport report) { reports_.add(std::move(report)); });
  publish_stats();
}

void EngineLoop::run() {
  while (mailbox_.wait(!scheduler_.idle())) {
    StepEvents events;
    try {
      take_commands(&events);
      pass_time(&events);
      run_step(&events);
      if (!has_failed_) publish_stats();
    } catch (...) {
      fail_engine(current_error(), &events);
    }
    deliver();
    undelivered_ = std::move(events);
    // An async device gets the next step first, if there is one.
    if (!parts_.backend->is_async() || scheduler_.idle()) deliver();
    if (has_failed_) break;
  }
  deliver();
}

void EngineLoop::deliver() {
  if (!undelivered_.empty()) sink_(std::exchange(undelivered_, {}));
}

void EngineLoop::take_commands(StepEvents* events) {
  for (Command& command : mailbox_.take())
    std::visit([&](auto& one) { handle(one, events); }, command);
}

void EngineLoop::handle(const Submit& command, StepEvents* events) {
  ActiveRequest& active = *command.request;
  const Request& request = active.request;
  Sequence& sequence = active.sequence;
  const auto planned = batches_.arrival(request.batch, request.batch_rank);
  sequence.arrival = planned ? *planned : scheduler_.reserve_arrivals(1);
  if (request.deadline_ms != 0)
    sequence.deadline_ms = on_clock(active.submitted) + request.deadline_ms;
  try {
    active.is_scheduled = scheduler_.add(&sequence);
    if (!active.is_scheduled) refuse(sequence, events);
  } catch (const std::bad_alloc&) {  // other requests go on
    finish(sequence, FinishReason::kError, &out_of_memory(), events);
  }
}

void EngineLoop::handle(const Cancel& command, StepEvents* events) {
  ActiveRequest* active = requests_.find(command.id);
  if (active == nullptr || !active->is_scheduled) return;
  abort(active->sequence, events);
}

void EngineLoop::handle(const Unpin& command, StepEvents*) {
  if (pins_.unpin(command.pin)) mailbox_.release();
}

void EngineLoop::handle(BeginBatch& command, StepEvents*) {
  const auto n_items = static_cast<int>(command.shared_with_next.size());
  batches_.begin(command.batch, std::move(command.shared_with_next),
                 scheduler_.reserve_arrivals(n_items));
}

void EngineLoop::handle(const SkipBatchItem& command, StepEvents*) {
  if (const auto end = batches_.end_item(command.batch, command.rank))
    mailbox_.release(end->n_batch_items);
}

/** What guesses are made of is forgotten, too. */
void EngineLoop::handle(const ClearCache&, StepEvents*) {
  parts_.kv->cache.clear();
  if (parts_.draft_model) parts_.draft_model->clear();
  parts_.draft_memories->clear();
}

/** Ends pins whose time to live is over and requests whose deadline has passed. */
void EngineLoop::pass_time(StepEvents* events) {
  const int64_t now = on_clock(Clock::now());
  scheduler_.set_time(now);
  pins_.expire(now);
  for (Sequence* sequence : scheduler_.take_expired()) {
    const Error error(ErrorCode::kDeadlineExceeded,
                      "this request was not done within its deadline of " +
                          std::to_string(sequence->request->request.deadline_ms) + " ms");
    finish(*sequence, FinishReason::kError, &error, events);
  }
}

int64_t EngineLoop::on_clock(Clock::time_point time) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time - made_).count() + 1;
}

void EngineLoop::run_step(StepEvents* events) {
  const auto start = Clock::now();
  PlannedStep planned = scheduler_.plan();
  Step& step = planned.step;
  const double schedule_us = 1000 * milliseconds(start, Clock::now());
  for (const auto& [sequence, why] : planned.refused) {
    if (why) finish(*sequence, FinishReason::kError, &*why, events);
    else refuse(*sequence, events);
  }
  if (step.entries.empty()) return;
  for (const auto& entry : step.entries) announce(*entry.sequence);
  if (!parts_.backend->is_async()) deliver();  // starts; earlier events have been delivered
  std::optional<StepOutcome> outcome;
  std::optional<Error> error;
  try {
    outcome = execute_step(step, parts_.execute, *parts_.model, *parts_.backend, *parts_.kv,
                           [this] { deliver(); });
    const double step_ms = milliseconds(start, Clock::now());
    scheduler_.learn(step, step_ms);
    report(step, *outcome, schedule_us + outcome->plan_us, step_ms);
  } catch (...) {
    error = current_error();
  }
  const bool is_lasting = error && (error->code() == ErrorCode::kDeviceFailed ||
                                    error->code() == ErrorCode::kModelChanged);
  if (is_lasting) return fail_engine(*error, events);
  if (error) fail_step(step, *error, events);
  else settle(&step, *outcome, events);
  if (parts_.options.check_invariants) {
    parts_.kv->cache.check_invariants();
    scheduler_.check_invariants();
    if (parts_.draft_model) parts_.draft_model->check_invariants();
  }
}

/** Adds the start event of a sequence's first step, before the step runs. Needs no memory. */
void EngineLoop::announce(Sequence& sequence) {
  ActiveRequest& active = *sequence.request;
  if (active.start.empty()) return;
  StartEvent& start = active.start.front();
  start.cached_tokens = sequence.cached_tokens;
  start.queued_ms = milliseconds(active.submitted, sequence.started);
  undelivered_.started.splice(undelivered_.started.end(), active.start);
}

/** Hands out the step's tokens, commits its KV and ends the requests that are finished. */
void EngineLoop::settle(Step* step, const StepOutcome& outcome, StepEvents* events) {
  counters_.rows += static_cast<uint64_t>(step->n_drafted);
  for (const auto& entry : step->entries) {
    counters_.rows += static_cast<uint64_t>(entry.n_rows);
    std::optional<FinishReason> reason;
    std::optional<Error> error;
    try {
      reason = settle_entry(step, entry, outcome, events);
    } catch (...) {
      error = current_error();
    }
    if (!error && !reason) continue;
    if (error) {
      scheduler_.remove(entry.sequence, true);
      finish(*entry.sequence, FinishReason::kError, &*error, events);
    } else {
      end_well(*entry.sequence, *reason, events);
    }
  }
  counters_.steps++;
}

/** KV of a row that is not finite is never committed, so no request can share it. */
std::optional<FinishReason> EngineLoop::settle_entry(Step* step, const StepEntry& entry,
                                                     const StepOutcome& outcome,
                                                     StepEvents* events) {
  const auto finite = outcome.output.finite;
  const auto rows =
      finite.subspan(static_cast<size_t>(entry.first_row), static_cast<size_t>(entry.n_rows));
  if (std::find(rows.begin(), rows.end(), 0) != rows.end())
    throw not_a_number("the model computed something that is not a number for this request");
  const size_t n_before = entry.sequence->tokens.size();
  auto reason = accept_outputs(entry, outcome.samples, outcome.output.logits,
                               parts_.model->config().vocabulary, events);
  const StepDraft* draft = step->draft_of(entry);
  int node = -1;
  bool has_bad_rows = false;
  if (draft != nullptr && !reason) {
    const DraftOutcome guessed = accept_draft(entry, *draft, outcome.samples, finite, events);
    node = guessed.node;
    reason = guessed.reason;
  }
  if (draft != nullptr) {
    const auto tried = finite.subspan(static_cast<size_t>(draft->first_row),
                                      static_cast<size_t>(draft->tree.size()));
    has_bad_rows = std::find(tried.begin(), tried.end(), 0) != tried.end();
  }
  scheduler_.commit(step, entry, node, has_bad_rows);
  tell_drafter(*step, entry, draft, node, n_before, outcome.samples);
  return reason;
}

void EngineLoop::fail_step(const Step& step, const Error& error, StepEvents* events) {
  for (const auto& entry : step.entries) {
    scheduler_.remove(entry.sequence, true);
    finish(*entry.sequence, FinishReason::kError, &error, events);
  }
}

/** Called after a broken rule of our own, a failed device, or no memory for the loop itself.
 * Nothing here can be trusted then, so no KV is touched any more. Needs no memory. */
void EngineLoop::fail_engine(const Error& why, StepEvents* events) noexcept {
  has_failed_ = true;
  requests_.fail(failure_of_engine(why), events);
}

void EngineLoop::report(const Step& step, const StepOutcome& outcome, double host_us,
                        double step_ms) {
  const uint64_t token_bytes = parts_.kv->pool.slab_bytes() / kTileTokens;
  StepReport report{counters_.steps, static_cast<int>(step.entries.size()),
                    step.n_decoding, step.n_rows(),
                    step.n_drafted,  host_us,
                    step_ms,         report_groups(outcome.readers, token_bytes)};
  counters_.add(work_of(step), host_us, 1000 * step_ms);
  for (const auto& group : report.groups) counters_.kv_bytes_not_read += group.bytes_not_read;
  if (!report.groups.empty() || step.n_drafted > 0) reports_.add(std::move(report));
}

void EngineLoop::publish_stats() {
  counters_.running = scheduler_.n_running();
  counters_.waiting = requests_.n_open() - counters_.running;
  counters_.segments = parts_.kv->cache.n_segments();
  counters_.kv_bytes_in_use = parts_.kv->pool.bytes_in_use();
  counters_.kv_bytes = parts_.kv->pool.bytes();
  counters_.edits = parts_.kv->preambles.n_edits();
  counters_.kv_bytes_edited = parts_.kv->preambles.edited_bytes();
  counters_.weight_bytes = static_cast<uint64_t>(parts_.model->weights().resident_bytes());
  reports_.publish(counters_);
}

}  // namespace cachalot
