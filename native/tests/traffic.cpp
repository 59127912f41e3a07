#include "tests/traffic.h"

#include <algorithm>

#include "schedule/order_prompts.h"

namespace cachalot::tests {

namespace {

constexpr size_t kTranscripts = 12;  // remembered, so that later requests share with them
constexpr size_t kPins = 3;

}  // namespace

/** More than half of all texts begin as an earlier one does, for any length. */
std::vector<int32_t> Traffic::text() {
  std::vector<int32_t> tokens;
  if (!transcripts_.empty() && chance(60)) {
    tokens = transcripts_[static_cast<size_t>(below(static_cast<int>(transcripts_.size())))];
    if (chance(60)) tokens.resize(static_cast<size_t>(1 + below(static_cast<int>(tokens.size()))));
  }
  const int more = 1 + below(chance(20) ? shape_.context_length / 2 : 40);
  for (int i = 0; i < more; i++) {
    const int32_t token = below(kVocabulary);
    tokens.push_back(token == kPoisonedToken ? 0 : token);
  }
  tokens.resize(std::min(tokens.size(), static_cast<size_t>(shape_.context_length - 1)));
  if (shape_.with_poison && chance(3))
    tokens[static_cast<size_t>(below(static_cast<int>(tokens.size())))] = kPoisonedToken;
  return tokens;
}

Request Traffic::request() {
  Request request;
  request.tokens = text();
  request.max_tokens = 1 + below(60);
  if (chance(10)) request.name_space = "other";
  if (chance(20)) request.priority = below(101);
  if (chance(5)) request.deadline_ms = 1 + below(20);
  const int n = static_cast<int>(request.tokens.size());
  switch (below(12)) {
    case 0:
      if (n >= 2) request.kind = RequestKind::kScore;
      break;
    case 1:
      request.kind = RequestKind::kLogits;
      for (int row = below(n); row < n; row += 1 + below(20)) request.rows.push_back(row);
      break;
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
  for (int i = 1 + below(8); i > 0; i--) prompts.push_back(text());
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
    request.max_tokens = max_tokens[0];
    request.batch = batch;
    request.batch_rank = static_cast<int>(rank);
    open_.push_back(client_.submit(request));
  }
}

void Traffic::settle(size_t open) {
  const Answer answer = client_.wait(open_[open]);
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(open));
  check_answer(answer);
  n_checked_++;
  if (answer.request.pin != 0 && answer.finish.reason == FinishReason::kDone)
    pins_.push_back(answer.request.pin);
  if (answer.finish.reason == FinishReason::kError) return;
  transcripts_.push_back(transcript(answer));
  if (transcripts_.size() > kTranscripts)
    transcripts_.erase(transcripts_.begin() + below(static_cast<int>(kTranscripts)));
}

void Traffic::finish() {
  while (!open_.empty()) settle(0);
  for (const uint64_t pin : pins_) client_.engine().unpin(pin);
  pins_.clear();
}

}  // namespace cachalot::tests
