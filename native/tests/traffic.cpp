#include "tests/traffic.h"

#include <algorithm>
#include <array>

#include "engine/validate.h"
#include "schedule/order_prompts.h"

namespace cachalot::tests {

namespace {

constexpr size_t kTranscripts = 12;  // remembered, so that later requests share with them
constexpr size_t kPins = 3;

int depth_of(const RequestPreambleRef& preamble) {
  int depth = 0;
  for (const RequestPart& part : parts_of(preamble)) depth = std::max(depth, depth_of(part.under));
  return depth + 1;
}

/** The first row whose output can be had: rows before an edit of the prompt cannot. */
int first_row(const Request& request) {
  int first = 0;
  for (const ScheduledEdit& edit : request.edits)
    if (edit.index < static_cast<int>(request.tokens.size())) first = edit.index;
  return first;
}

}  // namespace

std::vector<int32_t> Traffic::new_tokens(int n) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < n; i++) {
    const int32_t token = below(kVocabulary);
    tokens.push_back(token == kPoisonedToken ? 0 : token);
  }
  return tokens;
}

/** More than half of all texts begin as an earlier one does, for any length; some of the others
 * stand after parts of earlier ones. */
Text Traffic::text() {
  Text text;
  if (!transcripts_.empty() && chance(60)) {
    text = transcripts_[static_cast<size_t>(below(static_cast<int>(transcripts_.size())))];
    if (chance(60))
      text.tokens.resize(static_cast<size_t>(1 + below(static_cast<int>(text.tokens.size()))));
    if (chance(30)) text.edits.clear();
    if (chance(20)) text.window = {};
  } else if (!transcripts_.empty() && chance(50)) {
    text.preamble = preamble();
  }
  const auto more = new_tokens(1 + below(chance(20) ? shape_.context_length / 2 : 40));
  text.tokens.insert(text.tokens.end(), more.begin(), more.end());
  const int room = validate_preamble(text.preamble, kVocabulary, shape_.context_length);
  if (room < 2) text.preamble = nullptr;
  const int most = room < 2 ? shape_.context_length : room;
  text.tokens.resize(std::min(text.tokens.size(), static_cast<size_t>(most - 1)));
  if (shape_.with_poison && chance(3))
    text.tokens[static_cast<size_t>(below(static_cast<int>(text.tokens.size())))] = kPoisonedToken;
  return text;
}

/** One to five parts of earlier texts: one after the other, beside each other, or anywhere, before
 * 0 too. Some are the plain text that they would be without a preamble. */
RequestPreambleRef Traffic::preamble() {
  RequestPreamble preamble;
  const int arrangement = below(3);
  const bool has_gap = chance(20);
  for (int i = 1 + below(5); i > 0; i--) {
    const Text& text =
        transcripts_[static_cast<size_t>(below(static_cast<int>(transcripts_.size())))];
    if (depth_of(text.preamble) > 2 || !text.edits.empty() || text.window.size > 0) continue;
    const auto n_tokens = static_cast<size_t>(1 + below(100));
    RequestPart part{SharedTokens(text.tokens).first(n_tokens), 0, 0, text.preamble};
    const auto n = static_cast<int>(part.tokens.size());
    if (chance(50)) part.first = below(n);
    const int begin = position_below(part.under) + part.first;
    switch (arrangement) {
      case 0:
        part.shift = chance(20) ? 0 : preamble.position - begin;
        break;                             // one after the other
      case 1: part.shift = -begin; break;  // beside each other
      case 2: part.shift = below(120) - 80; break;
    }
    preamble.position = std::max(preamble.position, position_below(part.under) + n + part.shift);
    preamble.parts.push_back(std::move(part));
  }
  if (has_gap) preamble.position += below(20);
  return std::make_shared<const RequestPreamble>(std::move(preamble));
}

/** One to three edits of a context of up to n tokens, by few seeds: some are alike. */
std::vector<ScheduledEdit> Traffic::edits(int n) {
  constexpr std::array<int64_t, 4> kKeep{0, 300, 600, 1000};
  std::vector<ScheduledEdit> edits;
  int index = 0;
  for (int i = 1 + below(3); i > 0; i--) {
    index += 1 + below(std::max(1, n / 2));
    if (index >= shape_.context_length) break;
    const int64_t keep = kKeep[static_cast<size_t>(below(4))];
    const int64_t merge = chance(50) ? (1000 - keep) / 2 : 0;
    edits.push_back({index, {"seeded", {below(2), keep, merge, 20 * below(3)}}});
  }
  return edits;
}

/** One of a few texts that begin alike, at any length, with edits close together or far apart. */
Request Traffic::crowded_request() {
  constexpr std::array<SequenceWindow, 3> kWindows{{{4, 40}, {0, 33}, {}}};
  std::mt19937_64 alike(7);
  Request request;
  for (int i = 60 + below(180); i > 0; i--)
    request.tokens.push_back(static_cast<int32_t>(20 + alike() % 900));
  const auto own = new_tokens(1 + below(20));
  request.tokens.insert(request.tokens.end(), own.begin(), own.end());
  request.window = kWindows[static_cast<size_t>(below(3))];
  request.max_tokens = 1 + below(150);
  request.priority = chance(50) ? kDefaultPriority : below(101);
  const int n = static_cast<int>(request.tokens.size());
  int index = 1 + below(n + 20);
  for (int i = below(6); i > 0 && index < shape_.context_length; i--) {
    request.edits.push_back(
        {index, {"seeded", {below(2), 300 * (1 + below(3)), 100, 20 * below(3)}}});
    index += 1 + below(chance(50) ? 3 : 60);
  }
  if (chance(10)) request.kind = RequestKind::kPrefill;
  if (request.kind == RequestKind::kPrefill && chance(50)) request.pin = next_pin_++;
  return request;
}

Request Traffic::request() {
  Request request = shape_.is_crowded && chance(90) ? crowded_request() : mixed_request();
  if (chance(60)) guess(&request);
  return request;
}

/** Its tokens are guessed, some of them rightly. */
void Traffic::guess(Request* request) {
  request->draft.scripted = 1 + below(1000);
  request->draft.max_tokens = 1 + below(8);
}

Request Traffic::mixed_request() {
  Request request;
  Text text = this->text();
  request.tokens = std::move(text.tokens);
  request.preamble = std::move(text.preamble);
  request.edits = std::move(text.edits);
  request.window = text.window;
  request.max_tokens = 1 + below(60);
  const bool has_preamble =
      !parts_of(request.preamble).empty() || position_below(request.preamble) != 0;
  if (!has_preamble && request.edits.empty() && chance(25))
    request.edits = edits(static_cast<int>(request.tokens.size()) + request.max_tokens);
  if (!has_preamble && request.window.size == 0 && chance(20))
    request.window = {below(3) * below(40), 1 + below(120)};
  if (request.window.size > 0 && request.edits.empty() && chance(40)) {
    const auto more = new_tokens(1 + below(1500));  // far beyond the engine's context
    request.tokens.insert(request.tokens.end(), more.begin(), more.end());
  }
  if (chance(10)) request.name_space = "other";
  if (chance(20)) request.priority = below(101);
  if (chance(5)) request.deadline_ms = 1 + below(20);
  const int n = static_cast<int>(request.tokens.size());
  switch (below(12)) {
    case 0: {
      const int first = first_row(request);
      if (first + 1 >= n) break;
      request.kind = RequestKind::kScore;
      request.from = chance(40) ? first + 1 : first + 1 + below(n - first - 1);
      break;
    }
    case 1: {
      request.kind = RequestKind::kLogits;
      const int first = first_row(request);
      for (int row = first + below(n - first); row < n; row += 1 + below(20))
        request.rows.push_back(row);
      break;
    }
    case 2:
      request.kind = RequestKind::kPrefill;
      if (chance(70)) request.pin = next_pin_++;
      if (chance(30)) request.ttl_ms = 1 + below(30);
      break;
    default: break;
  }
  return request;
}

void Traffic::act() {
  if (open_.size() < static_cast<size_t>(shape_.n_open)) {
    if (chance(15)) submit_batch();
    else open_.push_back(client_.submit(request()));
  }
  if (!open_.empty() && chance(10))
    client_.engine().cancel(open_[static_cast<size_t>(below(static_cast<int>(open_.size())))]);
  if (pins_.size() > kPins || (!pins_.empty() && chance(5))) {
    client_.engine().unpin(pins_.front());
    pins_.erase(pins_.begin());
  }
  if (chance(1)) client_.engine().clear_cache();
  for (size_t i = 0; i < open_.size();) {
    if (client_.is_finished(open_[i])) settle(i);
    else i++;
  }
  if (open_.size() >= static_cast<size_t>(shape_.n_open))
    settle(static_cast<size_t>(below(static_cast<int>(open_.size()))));
}

/** Texts in the engine's own order for them; some are never submitted. */
void Traffic::submit_batch() {
  std::vector<std::vector<int32_t>> prompts;
  const RequestPreambleRef before = transcripts_.empty() || chance(70) ? nullptr : preamble();
  const int room = validate_preamble(before, kVocabulary, shape_.context_length);
  if (room < 2) return;
  for (int i = 1 + below(8); i > 0; i--) {
    prompts.push_back(text().tokens);
    prompts.back().resize(std::min(prompts.back().size(), static_cast<size_t>(room - 1)));
  }
  const std::vector<int32_t> max_tokens(prompts.size(), 1 + below(40));
  const BatchOrder order = order_prompts(prompts, max_tokens);
  const uint64_t batch = next_pin_++;
  client_.engine().begin_batch(batch, order.shared_with_next);
  for (size_t rank = 0; rank < prompts.size(); rank++) {
    if (chance(10)) {
      client_.engine().skip_batch_item(batch, static_cast<int>(rank));
      continue;
    }
    Request request;
    request.tokens = prompts[static_cast<size_t>(order.order[rank])];
    request.preamble = before;
    request.max_tokens = max_tokens[0];
    request.batch = batch;
    request.batch_rank = static_cast<int>(rank);
    if (chance(30)) guess(&request);
    open_.push_back(client_.submit(request));
  }
}

void Traffic::settle(size_t open) {
  const Answer answer = client_.wait(open_[open]);
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(open));
  check_answer(answer);
  checked_.guesses += answer.finish.draft.proposed;
  checked_.right_guesses += answer.finish.draft.accepted;
  if (answer.finish.reason != FinishReason::kError) {
    const bool has_preamble = !parts_of(answer.request.preamble).empty();
    checked_ += {1, has_preamble ? 1 : 0, answer.request.edits.empty() ? 0 : 1,
                 answer.request.window.size > 0 ? 1 : 0,
                 static_cast<int64_t>(answer.request.tokens.size() + answer.tokens.size())};
  }
  if (answer.request.pin != 0 && answer.finish.reason == FinishReason::kDone)
    pins_.push_back(answer.request.pin);
  if (answer.finish.reason == FinishReason::kError) return;
  transcripts_.push_back(transcript(answer));
  if (transcripts_.size() > kTranscripts)
    transcripts_.erase(transcripts_.begin() + below(static_cast<int>(kTranscripts)));
}

Traffic::Checked& Traffic::Checked::operator+=(const Checked& more) {
  requests += more.requests;
  with_preamble += more.with_preamble;
  with_edits += more.with_edits;
  with_window += more.with_window;
  tokens += more.tokens;
  guesses += more.guesses;
  right_guesses += more.right_guesses;
  return *this;
}

void Traffic::finish() {
  while (!open_.empty()) settle(0);
  for (const uint64_t pin : pins_) client_.engine().unpin(pin);
  pins_.clear();
}

}  // namespace cachalot::tests
