#include "engine/engine.h"

#include <system_error>
#include <utility>

#include "engine/validate.h"

namespace cachalot {

Engine::Engine(EngineParts parts, std::function<void(StepEvents)> sink)
    : parts_(std::move(parts)), loop_(parts_, mailbox_, requests_, reports_, std::move(sink)) {
  try {
    thread_ = std::thread([this] { loop_.run(); });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kOutOfMemory,
                std::string("cannot start a thread (") + error.what() + "); end other programs");
  }
}

Engine::~Engine() {
  mailbox_.stop();
  thread_.join();
}

void Engine::submit(Request request) {
  validate_request(request, config(), context_length());
  validate_draft_context(request, config().vocabulary, guide_room());
  validate_edits(request, parts_.policies, parts_.kv->pool, context_length());
  std::erase_if(request.edits, [this](ScheduledEdit& edit) {
    const auto policy = parts_.policies(edit.recipe);
    edit.recipe.n_observed = policy->n_observed();
    edit.recipe.stride = policy->stride();
    edit.n_kept = policy->n_kept(edit.index);
    return policy->is_neutral(edit.index);
  });
  const bool keep_parts = parts_.options.keep_parts;
  RequestMap made = make_active(std::move(request), context_length(), parts_.kv->preamble_table,
                                keep_parts, guide_room());
  requests_.add(std::move(made), [this](ActiveRequest& active) {
    // Room for its cancel and, if it pins, for its unpin.
    const size_t n_reserved = active.request.pin != 0 ? 2 : 1;
    mailbox_.post(Submit{&active}, n_reserved);
  });
}

void Engine::cancel(uint64_t id) {
  requests_.cancel(id, [&] { mailbox_.post_reserved(Cancel{id}); });
}

void Engine::unpin(uint64_t pin) {
  if (!requests_.has_failed()) mailbox_.post_reserved(Unpin{pin});
}

void Engine::clear_cache() {
  if (!requests_.has_failed()) mailbox_.post_clear();
}

void Engine::begin_batch(uint64_t batch, std::vector<int32_t> shared_with_next) {
  validate_batch(batch, shared_with_next);
  const size_t n_items = shared_with_next.size();
  if (n_items > 0) mailbox_.post(BeginBatch{batch, std::move(shared_with_next)}, n_items);
}

void Engine::skip_batch_item(uint64_t batch, int rank) {
  if (!requests_.has_failed()) mailbox_.post_reserved(SkipBatchItem{batch, rank});
}

std::string Engine::weights() const {
  const DecoderWeights& weights = parts_.model->weights();
  if (parts_.backend->is_async()) return "on the device";
  if (weights.packed.empty()) return weights.floats.empty() ? "in place" : "in memory";
  return weights.resident_bytes() == 0 ? "mapped" : "packed";
}

void Engine::save_layout(const std::string& path, const std::atomic<bool>& stop) const {
  write_layout_file(path, parts_.backend->layout(), parts_.model->weights().packed, stop);
}

}  // namespace cachalot
