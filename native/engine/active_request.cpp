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

/** Gives a request's preambles their one form, unless parts are to be kept as they are. */
class Placing {
 public:
  Placing(PreambleTable& table, bool keep_parts) : table_(table), keep_parts_(keep_parts) {}

  /** What the tokens below a preamble stand on: another preamble, and tokens before them. */
  const PlacedText& place(const RequestPreambleRef& preamble) {
    const auto [at, is_new] = placed_.try_emplace(preamble.get());
    if (!is_new || preamble == nullptr) return at->second;
    std::vector<PreamblePart> parts;
    for (const RequestPart& part : preamble->parts) parts.push_back(placed_part(part));
    at->second = keep_parts_ && !parts.empty()
                     ? PlacedText{table_.make(std::move(parts), preamble->position), {}}
                     : canonical(std::move(parts), preamble->position, table_);
    return at->second;
  }

 private:
  PreamblePart placed_part(const RequestPart& part) {
    const auto& [before, leading] = place(part.under);
    PreamblePart placed{part.tokens, part.first, part.shift, before, {}, 0, part.reading};
    if (leading.empty()) return placed;
    std::vector<int32_t> all(leading);
    all.insert(all.end(), part.tokens.begin(), part.tokens.end());
    placed.tokens = SharedTokens(std::move(all));
    placed.first += static_cast<int>(leading.size());
    return placed;
  }

  PreambleTable& table_;
  bool keep_parts_;
  std::map<const RequestPreamble*, PlacedText> placed_;  // nodes stay where they are
};

}  // namespace

RequestMap make_active(Request request, int context_length, PreambleTable& table, bool keep_parts,
                       int guide_room) {
  RequestMap map;
  ActiveRequest& active = map[request.id];
  const auto n_own = static_cast<int>(request.tokens.size());
  PlacedText text = Placing(table, keep_parts).place(request.preamble);
  if (text.tokens.empty()) text.tokens = std::move(request.tokens);
  else text.tokens.insert(text.tokens.end(), request.tokens.begin(), request.tokens.end());
  const auto n_tokens = static_cast<int>(text.tokens.size());
  FinishEvent& end = active.end.emplace_back();
  end.id = request.id;
  if (text.preamble != nullptr) end.moved_tokens = text.preamble->n_moved();
  end.prompt_tokens = n_tokens + (text.preamble == nullptr ? 0 : text.preamble->n_tokens());
  if (request.tells_start) active.start.emplace_back().id = request.id;
  Sequence& sequence = active.sequence;
  sequence.id = request.id;
  sequence.request = &active;
  sequence.key = {request.name_space, text.preamble};
  if (has_window(request, context_length)) {
    sequence.key.preamble = table.make({}, 0, request.window);
    if (is_cut(request, context_length)) sequence.cuts = window_cuts(request.window);
  }
  sequence.tokens = std::move(text.tokens);
  sequence.n_prompt = n_tokens;
  sequence.edits = std::move(request.edits);
  active.n_before = n_tokens - n_own;
  sequence.max_length = is_cut(request, context_length) ? kMostWindowedTokens
                                                        : room_below(text.preamble, context_length);
  sequence.demand = demand_of(request, n_tokens, n_tokens - n_own);
  sequence.preamble_table = &table;
  while (sequence.is_past_text_end()) sequence.begin_next_text();
  sequence.n_observed = request.n_observed;
  sequence.keeps_text = request.pin != 0 || request.n_observed > 0;
  sequence.priority = request.priority;
  sequence.draft = std::move(request.draft);
  if (!request.draft_context.tokens.empty()) {
    const int n_guide = static_cast<int>(request.draft_context.tokens.size());
    sequence.max_length = std::min(sequence.max_length, n_tokens + guide_room - n_guide);
    sequence.guide = std::make_unique<Guide>(std::move(request.draft_context));
  }
  if (request.grammar != nullptr)
    active.constraint = std::make_unique<Constraint>(request.grammar, request.stop_tokens);
  request.tokens = {};
  request.preamble = nullptr;
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
  if (sequence.drafter != nullptr) event.draft = sequence.drafter->use;
  if (sequence.cached_tokens < 0) return;  // it never ran
  const auto now = Clock::now();
  const auto first = sequence.n_generated() > 0 ? active->first_token : now;
  event.timings = {milliseconds(active->submitted, sequence.started),
                   milliseconds(sequence.started, first), milliseconds(first, now)};
}

}  // namespace cachalot
