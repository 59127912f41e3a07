#include "engine/active_request.h"

#include <algorithm>
#include <utility>

namespace cachalot {

namespace {

Demand demand_of(const Request& request) {
  const auto n_tokens = static_cast<int>(request.tokens.size());
  switch (request.kind) {
    case RequestKind::kGenerate: return Demand::generate(n_tokens, request.max_tokens);
    case RequestKind::kScore: return Demand::score(n_tokens);
    case RequestKind::kLogits: return Demand::logits(request.rows);
    case RequestKind::kPrefill: return Demand::prefill(n_tokens);
  }
  return {};
}

}  // namespace

RequestMap make_active(Request request) {
  RequestMap map;
  ActiveRequest& active = map[request.id];
  FinishEvent& end = active.end.emplace_back();
  end.id = request.id;
  end.prompt_tokens = static_cast<int>(request.tokens.size());
  if (request.tells_start) active.start.emplace_back().id = request.id;
  Sequence& sequence = active.sequence;
  sequence.id = request.id;
  sequence.request = &active;
  sequence.key = request.name_space;
  sequence.n_prompt = end.prompt_tokens;
  sequence.demand = demand_of(request);
  sequence.priority = request.priority;
  sequence.tokens = std::move(request.tokens);
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
