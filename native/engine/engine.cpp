#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "engine/execute.h"
#include "engine/validate.h"

namespace cachalot {

namespace {

double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

Engine::Engine(EngineParts parts, std::function<void(StepEvents)> sink)
    : parts_(std::move(parts)),
      scheduler_(*parts_.tree, *parts_.pool,
                 {parts_.model->max_rows(), parts_.model->max_outputs()}),
      sink_(std::move(sink)) {
  publish_stats();
  thread_ = std::thread([this] { loop(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Engine::submit(Request request) {
  validate_request(request, config(), context_length());
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = request.tokens;
  sequence->request = std::move(request);
  sequence->submitted = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) throw Error(ErrorCode::kInternal, failure_);
    submitted_.push_back(std::move(sequence));
  }
  wake_.notify_all();
}

void Engine::cancel(uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(id);
  }
  wake_.notify_all();
}

void Engine::unpin(uint64_t pin) {
  {
    const std::lock_guard lock(mutex_);
    unpinned_.push_back(pin);
  }
  wake_.notify_all();
}

void Engine::clear_cache() {
  {
    const std::lock_guard lock(mutex_);
    clear_requested_ = true;
  }
  wake_.notify_all();
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

void Engine::loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      // With a limit, though none is needed: `wait` alone would ask for GCC 12's libstdc++, which
      // the older systems that prebuilt addons run on do not have.
      while (!wake_.wait_for(lock, std::chrono::hours(1), [this] {
        return stopping_ || !submitted_.empty() || !cancelled_.empty() || !unpinned_.empty() ||
               clear_requested_ || !scheduler_.idle();
      })) {
      }
      if (stopping_) return;
    }
    StepEvents events;
    try {
      take_commands(&events);
      run_step(&events);
      publish_stats();
    } catch (const std::exception& error) {
      fail_engine(error.what(), &events);
    }
    if (!events.empty()) sink_(std::move(events));
    if (scheduler_.abandoned()) return;
  }
}

/** A broken rule of our own, or no memory for the loop itself: nothing here can be trusted now. */
void Engine::fail_engine(const std::string& why, StepEvents* events) {
  const Error error(ErrorCode::kInternal, "the engine has failed (" + why + "); load it again");
  auto sequences = scheduler_.abandon();
  for (auto& sequence : std::exchange(unserviceable_, {})) sequences.push_back(std::move(sequence));
  {
    const std::lock_guard lock(mutex_);
    failure_ = error.what();
    for (auto& sequence : submitted_) sequences.push_back(std::move(sequence));
    submitted_.clear();
  }
  for (auto& sequence : sequences) {
    finish(std::move(sequence), FinishReason::kError, &error, events);
  }
}

void Engine::take_commands(StepEvents* events) {
  std::vector<std::unique_ptr<Sequence>> submitted;
  std::vector<uint64_t> cancelled;
  std::vector<uint64_t> unpinned;
  bool clear = false;
  {
    const std::lock_guard lock(mutex_);
    submitted.swap(submitted_);
    cancelled.swap(cancelled_);
    unpinned.swap(unpinned_);
    std::swap(clear, clear_requested_);
  }
  for (auto& sequence : submitted) scheduler_.add(std::move(sequence));
  for (const uint64_t id : cancelled) {
    Sequence* sequence = scheduler_.find(id);
    if (sequence != nullptr)
      finish(scheduler_.remove(sequence), FinishReason::kAborted, nullptr, events);
  }
  for (const uint64_t id : unpinned) {
    if (const auto pinned = pins_.extract(id)) parts_.tree->unpin(pinned.mapped());
  }
  if (clear) parts_.tree->clear();
}

void Engine::run_step(StepEvents* events) {
  const Step step = scheduler_.plan(&unserviceable_);
  for (auto& sequence : std::exchange(unserviceable_, {})) {
    const Error error(ErrorCode::kKvBudgetExceeded,
                      "this request needs the KV of " +
                          std::to_string(sequence->tokens.size() + 1) +
                          " tokens, but `kv.bytes` has room for " +
                          std::to_string(parts_.pool->n_runs() * kTileTokens) +
                          (pins_.empty() ? "" : ", some of it pinned by contexts"));
    finish(std::move(sequence), FinishReason::kError, &error, events);
  }
  if (step.entries.empty()) return;
  std::optional<StepOutcome> outcome;
  std::optional<Error> error;
  try {
    outcome = execute_step(step, *parts_.model, *parts_.backend, parts_.pool->store());
  } catch (const Error& known) {
    error = known;
  } catch (const std::exception& unknown) {
    error = Error(ErrorCode::kInternal, unknown.what());
  }
  if (error) fail_step(step, *error, events);
  else settle(step, *outcome, events);
  if (parts_.options.check_invariants) {
    parts_.tree->check_invariants();
    scheduler_.check_invariants();
  }
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
    } catch (const Error& known) {
      error = known;
    } catch (const std::bad_alloc&) {
      error = Error(ErrorCode::kOutOfMemory, "there is no memory for the results of this request");
    }
    if (error) {
      finish(scheduler_.remove(entry.sequence, true), FinishReason::kError, &*error, events);
    } else if (reason) {
      auto sequence = scheduler_.remove(entry.sequence);
      const auto pinned =
          sequence->request.pin == 0 ? std::nullopt : std::optional(sequence->request);
      finish(std::move(sequence), *reason, nullptr, events);
      if (pinned) pin(*pinned);
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

/** The request's tokens have just been computed, and nothing has been evicted since. */
void Engine::pin(const Request& request) {
  pins_[request.pin] = parts_.tree->pin(request.name_space, request.tokens);
}

void Engine::fail_step(const Step& step, const Error& error, StepEvents* events) {
  for (const auto& entry : step.entries) {
    finish(scheduler_.remove(entry.sequence, true), FinishReason::kError, &error, events);
  }
}

void Engine::finish(std::unique_ptr<Sequence> sequence, FinishReason reason, const Error* error,
                    StepEvents* events) {
  FinishEvent event{};
  event.id = sequence->request.id;
  event.reason = reason;
  if (error != nullptr) {
    event.error_code = error_code_name(error->code());
    event.error_message = error->what();
  }
  event.prompt_tokens = sequence->n_prompt();
  event.cached_tokens = std::max(0, sequence->cached_tokens);
  event.generated_tokens = sequence->n_generated();
  const auto now = Clock::now();
  if (sequence->cached_tokens >= 0) {
    const auto first = sequence->n_generated() > 0 ? sequence->first_token : now;
    event.timings = {milliseconds(sequence->submitted, sequence->started),
                     milliseconds(sequence->started, first), milliseconds(first, now)};
  }
  event.values = std::move(sequence->values);
  counters_.prompt_tokens += static_cast<uint64_t>(event.prompt_tokens);
  counters_.cached_tokens += static_cast<uint64_t>(event.cached_tokens);
  counters_.generated_tokens += static_cast<uint64_t>(event.generated_tokens);
  events->finished.push_back(std::move(event));
}

void Engine::publish_stats() {
  counters_.running = scheduler_.n_running();
  counters_.segments = parts_.tree->n_segments();
  counters_.kv_bytes_in_use = parts_.pool->bytes_in_use();
  counters_.kv_bytes = static_cast<uint64_t>(parts_.pool->n_runs()) * parts_.pool->run_bytes();
  counters_.weight_bytes = static_cast<uint64_t>(parts_.model->weight_bytes());
  const std::lock_guard lock(mutex_);
  published_ = counters_;
  published_.waiting = scheduler_.n_waiting() + static_cast<int>(submitted_.size());
}

}  // namespace cachalot
