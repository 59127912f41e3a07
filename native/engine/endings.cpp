// How requests end: the part of EngineLoop that keeps what they have computed, and tells their
// callers.

#include <utility>

#include "base/check.h"
#include "engine/loop.h"

namespace cachalot {

namespace {

/** Of a context that has computed n tokens below a preamble, which may be null. */
KvUse kv_use(const KvMemory& kv, const HeldPreamble* preamble, int n) {
  const auto n_bytes = static_cast<uint64_t>(n) * kv.pool.slab_bytes() / kTileTokens;
  KvUse use{static_cast<double>(n), n, n_bytes};
  if (preamble == nullptr) return use;
  const EditedPart* edited = preamble->edited();
  const int n_before = preamble->key().preamble->n_tokens();
  use.of += n_before;
  if (edited == nullptr) {
    use.kept += n_before;
    use.bytes += static_cast<uint64_t>(n_before) * kv.pool.slab_bytes() / kTileTokens;
  } else {
    use.kept += static_cast<double>(edited->n_keys()) / EditedPart::n_heads(kv.pool);
    use.bytes += edited->bytes();
  }
  return use;
}

}  // namespace

/** Ends a request that has what it wants. */
void EngineLoop::end_well(Sequence& sequence, FinishReason reason, StepEvents* events) {
  HeldPreamble* preamble = parts_.kv->preambles.use(sequence.key);  // a pin needs it
  sequence.request->end.front().kv = kv_use(*parts_.kv, preamble, sequence.n_computed());
  scheduler_.remove(&sequence);
  std::optional<Error> error;
  try {
    if (sequence.n_observed > 0)
      sequence.request->values = parts_.kv->preambles.attention(
          sequence.key, sequence.own_text().tokens, *sequence.queries);
    keep(sequence.request);
  } catch (const Error& why) {
    if (why.code() == ErrorCode::kInternal) throw;
    error = why;
  }
  parts_.kv->preambles.leave(preamble);
  finish(sequence, error ? FinishReason::kError : reason, error ? &*error : nullptr, events);
}

/** Ends a request that can never run. */
void EngineLoop::refuse(Sequence& sequence, StepEvents* events) {
  const auto& preamble = sequence.key.preamble;
  const size_t n_before = preamble == nullptr ? 0 : static_cast<size_t>(preamble->n_tokens());
  const size_t n_needed = n_before + sequence.own_text().tokens.size() + 1;
  const Error error(
      ErrorCode::kKvBudgetExceeded,
      "this request needs the KV of " + std::to_string(n_needed) +
          " tokens, but `kv.bytes` has room for " +
          std::to_string(parts_.kv->pool.bytes() / parts_.kv->pool.slab_bytes() * kTileTokens) +
          (pins_.hold_any() ? ", some of it pinned by contexts" : ""));
  finish(sequence, FinishReason::kError, &error, events);
}

/** Ends a request that has left the scheduler. The sequence is gone afterwards. */
void EngineLoop::finish(Sequence& sequence, FinishReason reason, const Error* error,
                        StepEvents* events) {
  const RequestMap::node_type node = requests_.close(sequence.id);
  CHECK(!node.empty(), "a request ends once");
  ActiveRequest& active = node.mapped();
  mailbox_.release();  // its cancel cannot come now; nor its unpin, if nothing was pinned
  if (active.request.pin != 0 && reason != FinishReason::kDone) mailbox_.release();
  complete_end(&active, reason, error);
  const FinishEvent& event = active.end.front();
  counters_.prompt_tokens += static_cast<uint64_t>(event.prompt_tokens);
  counters_.cached_tokens += static_cast<uint64_t>(event.cached_tokens);
  counters_.generated_tokens += static_cast<uint64_t>(event.generated_tokens);
  events->finished.splice(events->finished.end(), active.end);
  end_batch_item(active);
}

/** Keeps a prefill's tokens. They have just been computed; nothing has been evicted since. An edit
 * after the last of them is made now, so that nobody has to wait for it. */
void EngineLoop::keep(ActiveRequest* active) {
  const Request& request = active->request;
  if (request.kind != RequestKind::kPrefill) return;
  Sequence& sequence = active->sequence;
  KvMemory& kv = *parts_.kv;
  const bool is_edited =
      !sequence.edits.empty() && sequence.edits.front().index == std::ssize(sequence.tokens);
  if (is_edited) sequence.begin_text_after_edit();
  const auto tokens = sequence.own_text().tokens;
  if (request.pin != 0 || request.priority != kDefaultPriority || request.ttl_ms != 0)
    kv.cache.set_retention(sequence.key, tokens, {request.priority, request.ttl_ms});
  HeldPreamble* held = is_edited ? kv.preambles.use(sequence.key) : nullptr;
  if (held != nullptr && !held->holds(0)) kv.preambles.hold(held, 0, sequence.queries.get());
  if (request.pin != 0)
    pins_.pin(request.pin, sequence.key, tokens, request.ttl_ms, on_clock(Clock::now()));
  if (held != nullptr) active->end.front().kv = kv_use(kv, held, 0);
  kv.preambles.leave(held);
}

/** Demotes the KV of a batch's item that no remaining item shares: it is hardly read again. */
void EngineLoop::end_batch_item(const ActiveRequest& active) {
  const auto end = batches_.end_item(active.request.batch, active.request.batch_rank);
  if (!end) return;
  mailbox_.release(end->n_batch_items);
  const Sequence& sequence = active.sequence;
  if (sequence.cached_tokens >= 0)
    parts_.kv->cache.demote(sequence.key, sequence.own_text().tokens,
                            active.n_before + end->n_shared - sequence.text_begin);
}

}  // namespace cachalot
