// How requests end: the part of EngineLoop that keeps what they have computed, and tells their
// callers.

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "engine/loop.h"

namespace cachalot {

namespace {

/** Of a context that has computed n tokens below a preamble, which may be null. `n_cut`: tokens
 * before that preamble's, behind cuts. */
KvUse kv_use(const KvMemory& kv, const HeldPreamble* preamble, int n, int n_cut) {
  const auto n_bytes = static_cast<uint64_t>(n) * kv.pool.slab_bytes() / kTileTokens;
  KvUse use{static_cast<double>(n), n, n_bytes};
  if (preamble == nullptr) return use;
  const EditedPart* edited = preamble->edited();
  const int n_before = preamble->key().preamble->n_tokens();
  use.of += n_before + n_cut;
  if (edited == nullptr) {
    use.kept += n_before;
    use.bytes += static_cast<uint64_t>(n_before) * kv.pool.slab_bytes() / kTileTokens;
  } else {
    use.kept += static_cast<double>(edited->n_keys()) / EditedPart::n_heads(kv.pool);
    use.bytes += edited->bytes();
  }
  return use;
}

/** Leaves a preamble, whatever happens. */
struct Leave {
  Preambles& preambles;
  HeldPreamble* held;
  ~Leave() { preambles.leave(held); }
};

}  // namespace

/** Ends a request that has what it wants. */
void EngineLoop::end_well(Sequence& sequence, FinishReason reason, StepEvents* events) {
  Preambles& preambles = parts_.kv->preambles;
  std::optional<Error> error;
  {
    const Leave used{preambles, preambles.use(sequence.key)};  // a pin needs it
    sequence.request->end.front().kv =
        kv_use(*parts_.kv, used.held, sequence.n_computed(), sequence.n_cut());
    scheduler_.remove(&sequence);
    try {
      if (sequence.n_observed > 0) tell_attention(sequence.request);
      keep(sequence.request);
    } catch (const Error& why) {
      if (why.code() == ErrorCode::kInternal) throw;
      error = why;
    } catch (const std::bad_alloc&) {
      error = out_of_memory();
    }
  }
  finish(sequence, error ? FinishReason::kError : reason, error ? &*error : nullptr, events);
}

/** Ends a request that its caller does not want any more. */
void EngineLoop::abort(Sequence& sequence, StepEvents* events) {
  HeldPreamble* preamble = sequence.computing == nullptr && sequence.context
                               ? parts_.kv->preambles.use(sequence.key)
                               : nullptr;
  if (sequence.computing == nullptr)
    sequence.request->end.front().kv =
        kv_use(*parts_.kv, preamble, sequence.n_computed(), sequence.n_cut());
  parts_.kv->preambles.leave(preamble);
  scheduler_.remove(&sequence);
  finish(sequence, FinishReason::kAborted, nullptr, events);
}

void EngineLoop::tell_attention(ActiveRequest* active) {
  const Sequence& sequence = active->sequence;
  active->values =
      parts_.kv->preambles.attention(sequence.key, sequence.own_text().tokens, *sequence.queries);
  if (active->values.empty())
    throw Error(ErrorCode::kKvBudgetExceeded,
                "there is no memory to look at the keys of this text; give `kv.bytes` more");
}

/** Ends a request that can never run. */
void EngineLoop::refuse(Sequence& sequence, StepEvents* events) {
  const auto& preamble = sequence.key.preamble;
  const size_t n_before = preamble == nullptr ? 0 : static_cast<size_t>(preamble->n_tokens());
  size_t n_needed = n_before + sequence.own_text().tokens.size() + 1;
  for (const ScheduledEdit& edit : sequence.edits)
    n_needed = std::max(n_needed, static_cast<size_t>(edit.index + edit.n_kept));
  if (sequence.cuts.stride > 0)  // the sinks, those before a cut and those behind it
    n_needed = std::max(n_needed, static_cast<size_t>(sequence.cuts.first) +
                                      2 * static_cast<size_t>(sequence.cuts.stride));
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
  end_drafter(&active.sequence);
  const FinishEvent& event = active.end.front();
  counters_.prompt_tokens += static_cast<uint64_t>(event.prompt_tokens);
  counters_.cached_tokens += static_cast<uint64_t>(event.cached_tokens);
  counters_.generated_tokens += static_cast<uint64_t>(event.generated_tokens);
  events->finished.splice(events->finished.end(), active.end);
  end_batch_item(active);
}

/** Keeps a prefill's tokens. They have just been computed; nothing has been evicted since. */
void EngineLoop::keep(ActiveRequest* active) {
  const Request& request = active->request;
  if (request.kind != RequestKind::kPrefill) return;
  Sequence& sequence = active->sequence;
  KvMemory& kv = *parts_.kv;
  const bool is_edited =
      !sequence.edits.empty() && sequence.edits.front().index == std::ssize(sequence.tokens);
  if (is_edited) make_last_edit(active);
  const auto tokens = sequence.own_text().tokens;
  if (request.pin != 0 || request.priority != kDefaultPriority || request.ttl_ms != 0)
    kv.cache.set_retention(sequence.key, tokens, {request.priority, request.ttl_ms});
  if (request.pin != 0)
    pins_.pin(request.pin, sequence.key, tokens, request.ttl_ms, on_clock(Clock::now()));
}

/** Makes an edit after the last token of a prefill now, so that nobody has to wait for it. */
void EngineLoop::make_last_edit(ActiveRequest* active) {
  Sequence& sequence = active->sequence;
  KvMemory& kv = *parts_.kv;
  sequence.begin_next_text();
  HeldPreamble* held = kv.preambles.use(sequence.key);
  const Leave used{kv.preambles, held};
  const bool is_made =
      held->holds(0) || kv.preambles.hold(held, 0, sequence.queries.get()) == KvCache::Hold::kHeld;
  if (!is_made)
    throw Error(ErrorCode::kKvBudgetExceeded,
                "there is no memory for what compression leaves of these " +
                    std::to_string(sequence.tokens.size()) +
                    " tokens, beside themselves; give `kv.bytes` more, or keep less");
  kv.preambles.set_retention(held, {active->request.priority, active->request.ttl_ms});
  active->end.front().kv = kv_use(kv, held, 0, 0);
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
