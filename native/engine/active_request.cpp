#include "engine/active_request.h"

#include <algorithm>
#include <utility>

namespace cachalot {

namespace {

/** `n_before`: tokens that the canonical form has put before the request's own. */
Demand demand_of(const Request& request, int n_tokens, int n_before) {
  switch (request.kind) {
    case RequestKind::kGenerate: return Demand::generate(n_tokens, request.max_tokens);
    case RequestKind::kScore: return Demand::score(n_before + request.from - 1, n_tokens);
    case RequestKind::kLogits: {
      std::vector<int32_t> rows = request.rows;
      for (int32_t& row : rows) row += n_before;
      return Demand::logits(std::move(rows));
    }
    case RequestKind::kPrefill:
    case RequestKind::kAttention: return Demand::prefill(n_tokens);
  }
  return {};
}

/** A text and what stands before it; in canonical form, unless the parts are to be kept. */
PlacedText place(RequestPreamble preamble, std::vector<int32_t> tokens, bool keep_parts) {
  std::vector<PreamblePart> parts;
  for (auto& [text, first, shift, under] : preamble.parts) {
    const auto n = static_cast<int>(text.size());
    PlacedText placed = place(std::move(under), std::move(text), keep_parts);
    const int n_before = static_cast<int>(placed.tokens.size()) - n;
    parts.push_back({std::move(placed.tokens), n_before + first, shift, placed.preamble});
  }
  if (keep_parts && !parts.empty())
    return {make_preamble(std::move(parts), preamble.position), std::move(tokens)};
  return canonical(std::move(parts), preamble.position, std::move(tokens));
}

}  // namespace

RequestMap make_active(Request request, int context_length, bool keep_parts) {
  RequestMap map;
  ActiveRequest& active = map[request.id];
  const auto n_own = static_cast<int>(request.tokens.size());
  PlacedText text = place(std::move(request.preamble), std::move(request.tokens), keep_parts);
  const auto n_tokens = static_cast<int>(text.tokens.size());
  FinishEvent& end = active.end.emplace_back();
  end.id = request.id;
  end.prompt_tokens = n_tokens + (text.preamble == nullptr ? 0 : text.preamble->n_tokens());
  if (request.tells_start) active.start.emplace_back().id = request.id;
  Sequence& sequence = active.sequence;
  sequence.id = request.id;
  sequence.request = &active;
  sequence.key = {request.name_space, text.preamble};
  if (request.window.size != 0 && request.window.n_sinks + request.window.size < context_length)
    sequence.key.preamble = make_preamble({}, 0, request.window);
  sequence.tokens = std::move(text.tokens);
  sequence.n_prompt = n_tokens;
  sequence.edits = std::move(request.edits);
  active.n_before = n_tokens - n_own;
  sequence.max_length = room_below(text.preamble, context_length);
  sequence.demand = demand_of(request, n_tokens, n_tokens - n_own);
  while (sequence.is_past_edit()) sequence.begin_text_after_edit();
  sequence.n_observed = request.n_observed;
  sequence.keeps_text = request.pin != 0 || request.n_observed > 0;
  sequence.priority = request.priority;
  active.request = std::move(request);
  active.submitted = Clock::now();
  return map;
}

void complete_end(ActiveRequest* active, FinishReason reason, const Error* error) {
  const Sequence& sequence = active->sequence;
  FinishEvent& event = active->end.front();
  event.reason = reason;
  if (error != nullptr) event.error = *error;
  event.cached_tokens = std::max(0, sequence.cached_tokens);
  event.generated_tokens = sequence.n_generated();
  event.values = std::move(active->values);
  if (sequence.cached_tokens < 0) return;  // it never ran
  const auto now = Clock::now();
  const auto first = sequence.n_generated() > 0 ? active->first_token : now;
  event.timings = {milliseconds(active->submitted, sequence.started),
                   milliseconds(sequence.started, first), milliseconds(first, now)};
}

}  // namespace cachalot
