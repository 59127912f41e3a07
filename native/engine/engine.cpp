#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "engine/execute.h"

namespace cachalot {

namespace {

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

Error failure_of_engine(const Error& why) noexcept {
  // What CUDA has lost, it has lost for the whole process.
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

Engine::Engine(EngineParts parts, std::function<void(StepEvents)> sink)
    : parts_(std::move(parts)),
      scheduler_(*parts_.tree, *parts_.pool,
                 {parts_.model->max_rows(), parts_.model->max_outputs(), parts_.options.max_step_ms,
                  parts_.options.reuse}),
      sink_(std::move(sink)) {
  publish_stats();
  try {
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kOutOfMemory,
                std::string("cannot start a thread (") + error.what() + "); end other programs");
  }
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Engine::loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      // With a limit, though none is needed: `wait` alone would ask for GCC 12's libstdc++, which
      // the older systems that prebuilt addons run on do not have.
      while (!wake_.wait_for(lock, std::chrono::hours(1), [this] {
        return stopping_ || has_commands() || !scheduler_.idle();
      })) {
      }
      if (stopping_) break;
    }
    StepEvents events;
    try {
      take_commands(&events);
      pass_time(&events);
      run_step(&events);
      publish_stats();
    } catch (...) {
      fail_engine(current_error(), &events);
    }
    deliver();
    undelivered_ = std::move(events);
    // A device that works by itself gets the next step first, if there is one.
    if (!parts_.backend->works_by_itself() || scheduler_.idle()) deliver();
    if (failure_) break;  // written by this thread only
  }
  deliver();
}

void Engine::deliver() {
  if (!undelivered_.empty()) sink_(std::exchange(undelivered_, {}));
}

/** A broken rule of our own, a device that has failed, or no memory for the loop itself: nothing
 * here can be trusted now, and nothing is touched any more. Needs no memory. */
void Engine::fail_engine(const Error& why, StepEvents* events) noexcept {
  const Error error = failure_of_engine(why);
  const std::lock_guard lock(mutex_);
  failure_ = error;
  for (auto& [id, request] : open_) {
    request.end.front().error = error;
    events->finished.splice(events->finished.end(), request.end);
  }
  open_.clear();
}

/** A request that can never run. */
void Engine::refuse(Sequence& sequence, StepEvents* events) {
  const Error error(ErrorCode::kKvBudgetExceeded,
                    "this request needs the KV of " + std::to_string(sequence.tokens.size() + 1) +
                        " tokens, but `kv.bytes` has room for " +
                        std::to_string(parts_.pool->n_runs() * kTileTokens) +
                        (pins_.empty() ? "" : ", some of it pinned by contexts"));
  finish(sequence, FinishReason::kError, &error, events);
}

/** Times to live and deadlines. */
void Engine::pass_time(StepEvents* events) {
  const int64_t now = on_clock(Clock::now());
  scheduler_.set_time(now);
  for (auto pin = pins_.begin(); pin != pins_.end();) {
    const auto [segment, ttl_ms] = pin->second;
    const bool is_over =
        segment != nullptr && ttl_ms != 0 && segment->worth.used_ms + ttl_ms <= now;
    if (is_over) parts_.tree->unpin(segment);
    pin = is_over ? pins_.erase(pin) : std::next(pin);
  }
  for (auto& sequence : scheduler_.take_expired()) {
    const Error error(ErrorCode::kDeadlineExceeded,
                      "this request was not done within its deadline of " +
                          std::to_string(sequence->request.deadline_ms) + " ms");
    finish(*sequence, FinishReason::kError, &error, events);
  }
}

void Engine::run_step(StepEvents* events) {
  const auto start = Clock::now();
  std::vector<std::unique_ptr<Sequence>> unserviceable;
  const Step step = scheduler_.plan(&unserviceable);
  const double schedule_us = 1000 * milliseconds(start, Clock::now());
  for (auto& sequence : unserviceable) refuse(*sequence, events);
  if (step.entries.empty()) return;
  for (const auto& entry : step.entries) announce(*entry.sequence);
  if (!parts_.backend->works_by_itself()) deliver();  // starts; what was before has been delivered
  std::optional<StepOutcome> outcome;
  std::optional<Error> error;
  try {
    outcome = execute_step(step, parts_.execute, *parts_.model, *parts_.backend,
                           parts_.pool->store(), [this] { deliver(); });
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
  else settle(step, *outcome, events);
  if (parts_.options.check_invariants) {
    parts_.tree->check_invariants();
    scheduler_.check_invariants();
  }
}

/** Tells of a sequence that is in its first step, before the step is computed. Needs no memory. */
void Engine::announce(Sequence& sequence) {
  if (sequence.start.empty()) return;
  StartEvent& start = sequence.start.front();
  start.cached_tokens = sequence.cached_tokens;
  start.queued_ms = milliseconds(sequence.submitted, sequence.started);
  undelivered_.started.splice(undelivered_.started.end(), sequence.start);
}

/** Hands out the step's tokens, commits its KV and ends what is finished. */
void Engine::settle(const Step& step, const StepOutcome& outcome, StepEvents* events) {
  size_t output = 0;
  for (const auto& entry : step.entries) {
    counters_.rows += static_cast<uint64_t>(entry.tree.size());
    std::optional<FinishReason> reason;
    std::optional<Error> error;
    try {
      reason = settle_entry(entry, outcome, output, events);
    } catch (...) {
      error = current_error();
    }
    if (error) {
      finish(*scheduler_.remove(entry.sequence, true), FinishReason::kError, &*error, events);
    } else if (reason) {
      const auto sequence = scheduler_.remove(entry.sequence);
      finish(*sequence, *reason, nullptr, events);
      if (sequence->request.kind == RequestKind::kPrefill) keep(sequence->request);
    }
    output += entry.output_nodes.size();
  }
  counters_.steps++;
}

/** KV of a row that is not finite is never committed, so nobody can share it. */
std::optional<FinishReason> Engine::settle_entry(const StepEntry& entry, const StepOutcome& outcome,
                                                 size_t output, StepEvents* events) {
  const auto rows = outcome.output.finite.subspan(static_cast<size_t>(entry.first_row),
                                                  static_cast<size_t>(entry.tree.size()));
  if (std::find(rows.begin(), rows.end(), 0) != rows.end()) {
    throw Error(ErrorCode::kNotANumber,
                "the model computed something that is not a number for this request; its weights "
                "are probably damaged");
  }
  const auto reason = accept(entry, outcome.samples, output, outcome.output.logits,
                             config().vocabulary, context_length(), events);
  parts_.tree->commit(entry.sequence->leaf, entry.tree.tokens);
  return reason;
}

void Engine::fail_step(const Step& step, const Error& error, StepEvents* events) {
  for (const auto& entry : step.entries)
    finish(*scheduler_.remove(entry.sequence, true), FinishReason::kError, &error, events);
}

/** The last word on a request that the scheduler has let go. */
void Engine::finish(Sequence& sequence, FinishReason reason, const Error* error,
                    StepEvents* events) {
  std::list<FinishEvent> end;
  {
    const std::lock_guard lock(mutex_);
    const auto open = open_.find(sequence.request.id);
    CHECK(open != open_.end(), "a request ends once");
    end.splice(end.end(), open->second.end);
    open_.erase(open);
    if (sequence.request.pin != 0 && reason != FinishReason::kDone) n_pins_--;
  }
  FinishEvent& event = end.front();
  event.reason = reason;
  if (error != nullptr) event.error = *error;
  event.cached_tokens = std::max(0, sequence.cached_tokens);
  event.generated_tokens = sequence.n_generated();
  const auto now = Clock::now();
  if (sequence.cached_tokens >= 0) {
    const auto first = sequence.n_generated() > 0 ? sequence.first_token : now;
    event.timings = {milliseconds(sequence.submitted, sequence.started),
                     milliseconds(sequence.started, first), milliseconds(first, now)};
  }
  event.values = std::move(sequence.values);
  counters_.prompt_tokens += static_cast<uint64_t>(event.prompt_tokens);
  counters_.cached_tokens += static_cast<uint64_t>(event.cached_tokens);
  counters_.generated_tokens += static_cast<uint64_t>(event.generated_tokens);
  events->finished.splice(events->finished.end(), end);
  end_batch_item(sequence.request.batch, sequence.request.batch_rank, &sequence);
}

}  // namespace cachalot
