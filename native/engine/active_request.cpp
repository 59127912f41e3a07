#include "engine/active_request.h"

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

}  // namespace cachalot
