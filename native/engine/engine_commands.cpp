// What the engine is told from other threads, and how the loop takes it.

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "engine/engine.h"
#include "engine/validate.h"

namespace cachalot {

namespace {

/** Makes room for n more, and does not make it anew each time. */
template <typename T>
void reserve_more(std::vector<T>* list, size_t n) {
  if (list->capacity() < list->size() + n) list->reserve(2 * (list->size() + n));
}

/** Takes what is there and leaves the room. */
template <typename T>
std::vector<T> take(std::vector<T>* list) {
  std::vector<T> taken(std::make_move_iterator(list->begin()),
                       std::make_move_iterator(list->end()));
  list->clear();
  return taken;
}

}  // namespace

void Engine::submit(Request request) {
  validate_request(request, config(), context_length());
  std::map<uint64_t, OpenRequest> open;
  FinishEvent& end = open[request.id].end.emplace_back();
  end.id = request.id;
  end.prompt_tokens = static_cast<int>(request.tokens.size());
  const bool has_pin = request.pin != 0;
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = request.tokens;
  sequence->request = std::move(request);
  sequence->submitted = Clock::now();
  if (sequence->request.tells_start) sequence->start.emplace_back().id = end.id;
  {
    const std::lock_guard lock(mutex_);
    if (failure_) throw *failure_;
    if (open_.contains(end.id))
      throw Error(ErrorCode::kInvalidArgument,
                  "there is a request " + std::to_string(end.id) + " that has not ended");
    if (has_pin) reserve_more(&unpinned_, n_pins_ + 1);
    submitted_.push_back(std::move(sequence));
    n_pins_ += has_pin ? 1 : 0;
    open_.merge(open);  // needs no memory
  }
  wake_.notify_all();
}

void Engine::cancel(uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    const auto open = open_.find(id);
    if (open == open_.end()) return;
    open->second.is_cancelled = cancel_requested_ = true;
  }
  wake_.notify_all();
}

void Engine::unpin(uint64_t pin) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
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

void Engine::begin_batch(uint64_t batch, std::vector<int32_t> shared_with_next) {
  validate_batch(batch, shared_with_next);
  if (shared_with_next.empty()) return;
  const size_t n = shared_with_next.size();
  const std::lock_guard lock(mutex_);
  reserve_more(&skipped_, n_batch_items_ + n);
  begun_batches_.emplace_back(batch, std::move(shared_with_next));
  n_batch_items_ += n;
}

void Engine::skip_batch_item(uint64_t batch, int rank) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    skipped_.emplace_back(batch, rank);
  }
  wake_.notify_all();
}

std::vector<StepReport> Engine::explain() const {
  const std::lock_guard lock(mutex_);
  return explanation_.steps();
}

bool Engine::has_commands() const {
  return !submitted_.empty() || !unpinned_.empty() || !skipped_.empty() || clear_requested_ ||
         cancel_requested_;
}

void Engine::take_commands(StepEvents* events) {
  std::vector<std::unique_ptr<Sequence>> submitted;
  std::vector<uint64_t> cancelled;
  std::vector<uint64_t> unpinned;
  std::vector<std::pair<uint64_t, std::vector<int32_t>>> begun;
  std::vector<std::pair<uint64_t, int>> skipped;
  bool clear = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(cancel_requested_, false)) {
      for (const auto& [id, request] : open_)
        if (request.is_cancelled) cancelled.push_back(id);
    }
    submitted.swap(submitted_);
    unpinned = take(&unpinned_);
    n_pins_ -= std::min(n_pins_, unpinned.size());
    begun.swap(begun_batches_);
    skipped = take(&skipped_);
    std::swap(clear, clear_requested_);
  }
  for (auto& [batch, shared] : begun) {
    const size_t n = shared.size();
    const uint64_t first = scheduler_.reserve_order(static_cast<int>(n));
    batches_.emplace(batch, Batch{first, n, BatchUsers(std::move(shared))});
  }
  for (auto& sequence : submitted) add(std::move(sequence), events);
  for (const auto& [batch, rank] : skipped) end_batch_item(batch, rank, nullptr);
  for (const uint64_t id : cancelled) {
    Sequence* sequence = scheduler_.find(id);
    if (sequence != nullptr)
      finish(*scheduler_.remove(sequence), FinishReason::kAborted, nullptr, events);
  }
  for (const uint64_t id : unpinned) {
    if (const auto pinned = pins_.extract(id)) parts_.tree->unpin(pinned.mapped().segment);
  }
  if (clear) parts_.tree->clear();
}

void Engine::add(std::unique_ptr<Sequence> sequence, StepEvents* events) {
  const Request& request = sequence->request;
  if (const auto batch = batches_.find(request.batch); batch != batches_.end())
    sequence->order = batch->second.first_order + static_cast<uint64_t>(request.batch_rank);
  if (request.deadline_ms != 0)
    sequence->deadline_ms = on_clock(sequence->submitted) + request.deadline_ms;
  try {
    if (!scheduler_.add(sequence)) refuse(*sequence, events);
  } catch (const std::bad_alloc&) {  // the sequence is still here, and nobody else needs to end
    finish(*sequence, FinishReason::kError, &out_of_memory(), events);
  }
}

/** The request's tokens have just been computed, and nothing has been evicted since. */
void Engine::keep(const Request& request) {
  PrefixTree& tree = *parts_.tree;
  if (request.pin != 0 || request.priority != kDefaultPriority || request.ttl_ms != 0)
    tree.retain(request.name_space, request.tokens, {request.priority, request.ttl_ms});
  if (request.pin != 0)
    pins_[request.pin] = {tree.pin(request.name_space, request.tokens), request.ttl_ms};
}

/** What an item of a batch shares with none that is left will hardly be wanted again. */
void Engine::end_batch_item(uint64_t batch, int rank, const Sequence* sequence) {
  const auto found = batches_.find(batch);
  if (found == batches_.end() || !found->second.users.has(rank)) return;
  const int keep = found->second.users.finish(rank);
  if (sequence != nullptr && sequence->cached_tokens >= 0)
    parts_.tree->give_up(sequence->request.name_space, sequence->tokens, keep);
  if (!found->second.users.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    n_batch_items_ -= std::min(n_batch_items_, found->second.n_items);
  }
  batches_.erase(found);
}

void Engine::report(const Step& step, const StepOutcome& outcome, double host_us, double step_ms) {
  const uint64_t token_bytes = parts_.pool->run_bytes() / kTileTokens;
  StepReport report{counters_.steps,
                    static_cast<int>(step.entries.size()),
                    step.n_decoding,
                    step.n_rows,
                    host_us,
                    step_ms,
                    report_groups(outcome.readers, token_bytes)};
  counters_.host_us += host_us;
  for (const auto& group : report.groups) counters_.kv_bytes_not_read += group.bytes_not_read;
  if (report.groups.empty()) return;
  const std::lock_guard lock(mutex_);
  explanation_.add(std::move(report));
}

void Engine::publish_stats() {
  counters_.running = scheduler_.n_running();
  counters_.segments = parts_.tree->n_segments();
  counters_.kv_bytes_in_use = parts_.pool->bytes_in_use();
  counters_.kv_bytes = static_cast<uint64_t>(parts_.pool->n_runs()) * parts_.pool->run_bytes();
  counters_.weight_bytes = static_cast<uint64_t>(parts_.model->weights().resident_bytes());
  const std::lock_guard lock(mutex_);
  published_ = counters_;
  published_.waiting = scheduler_.n_waiting() + static_cast<int>(submitted_.size());
}

std::string Engine::weights() const {
  const DecoderWeights& weights = parts_.model->weights();
  if (parts_.backend->works_by_itself()) return "on the device";
  if (weights.laid_out.empty()) return weights.floats.empty() ? "in place" : "in memory";
  return weights.resident_bytes() == 0 ? "mapped" : "packed";
}

void Engine::save_layout(const std::string& path, const std::atomic<bool>& stop) const {
  write_layout_file(path, parts_.backend->layout(), parts_.model->weights().laid_out, stop);
}

}  // namespace cachalot
