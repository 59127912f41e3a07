#include "engine/validate.h"

#include <algorithm>
#include <cfloat>
#include <functional>

#include "backend/params.h"
#include "base/error.h"
#include "grammar/grammar.h"
#include "kv/window_cuts.h"

namespace cachalot {

namespace {

constexpr size_t kMaxLogits = size_t{1} << 28;  // 1 GiB of floats in one answer
constexpr int kMaxThreads = 1024, kMaxStepTokens = 4096;

/** Throws invalid_argument unless the condition holds. */
void expect(bool holds, const char* expected) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, std::string("expected ") + expected);
}

[[noreturn]] void fail(ErrorCode code, const std::string& message) { throw Error(code, message); }

void check_bias(const Request& request, int vocabulary) {
  for (const auto& [token, bias] : request.sampling.bias) {
    if (token < 0 || token >= vocabulary)
      fail(ErrorCode::kInvalidArgument, "`logitBias` names the token " + std::to_string(token) +
                                            ", which is not in the vocabulary of " +
                                            std::to_string(vocabulary));
    if (!(bias <= FLT_MAX))
      fail(ErrorCode::kInvalidArgument, "`logitBias` holds something that is not a number");
  }
}

/** Checks the ranges that the scheduler and the sampler rely on. */
void check_ranges(const Request& request) {
  const SamplingOptions& sampling = request.sampling;
  const auto& breakers = sampling.dry.breakers;
  const auto is_share = [](float share) { return share >= 0 && share <= 1; };
  expect(request.priority >= 0 && request.priority <= 100, "a `priority` from 0 to 100");
  expect(request.max_tokens >= 0, "a `maxTokens` of at least 0");
  expect(request.deadline_ms >= 0 && request.ttl_ms >= 0, "times of at least 0");
  expect(request.batch_rank >= 0, "a `batchRank` of at least 0");
  expect(request.draft.max_tokens >= 1 && request.draft.max_tokens <= 64,
         "from 1 to 64 guesses for `draft.maxTokens`");
  expect(sampling.n_top >= 0 && sampling.n_top <= kMaxTopTokens,
         "at most 20 tokens for `topLogprobs`");
  expect(sampling.temperature >= 0, "a `temperature` of at least 0");
  expect(sampling.top_k >= 0, "a `topK` of at least 0");
  expect(is_share(sampling.top_p) && is_share(sampling.min_p) && is_share(sampling.typical_p),
         "shares from 0 to 1 for `topP`, `minP` and `typicalP`");
  expect(sampling.repetition_penalty > 0, "a `repetitionPenalty` above 0");
  expect(sampling.penalty_window >= 0 && sampling.dry.window >= 0, "windows of at least 0");
  expect(sampling.dry.allowed_length >= 1, "a `dry.allowedLength` of at least 1");
  expect(std::is_sorted(breakers.begin(), breakers.end()), "ascending tokens for `dry.breakers`");
}

void check_rows(const Request& request, int vocabulary) {
  const auto& rows = request.rows;
  const auto n = static_cast<int64_t>(request.tokens.size());
  const bool ascending =
      std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>()) == rows.end();
  if (rows.empty() || !ascending || rows.front() < 0 || rows.back() >= n) {
    fail(ErrorCode::kInvalidArgument, "`rows` must be ascending indices of tokens of the prompt");
  }
  if (rows.size() * static_cast<size_t>(vocabulary) > kMaxLogits) {
    fail(ErrorCode::kInvalidArgument, "`rows` asks for " + std::to_string(rows.size()) + " x " +
                                          std::to_string(vocabulary) + " logits; ask for at most " +
                                          std::to_string(kMaxLogits) + " at once");
  }
}

}  // namespace

void check_tokens(std::span<const int32_t> tokens, int vocabulary) {
  for (const int32_t token : tokens) {
    if (token < 0 || token >= vocabulary) {
      fail(ErrorCode::kInvalidArgument, "token " + std::to_string(token) +
                                            " is not in the vocabulary of " +
                                            std::to_string(vocabulary));
    }
  }
}

void validate_request(const Request& request, const ModelConfig& config, int context_length) {
  if (request.tokens.empty())
    fail(ErrorCode::kInvalidArgument, "the prompt is empty: it must hold at least one token");
  check_tokens(request.tokens, config.vocabulary);
  check_tokens(request.draft.prediction, config.vocabulary);
  if (request.grammar != nullptr && request.grammar->vocabulary() != config.vocabulary)
    fail(ErrorCode::kInvalidArgument, "`grammar` is of another vocabulary than the model's");
  check_bias(request, config.vocabulary);
  check_ranges(request);
  const int n = static_cast<int>(std::min<size_t>(request.tokens.size(), INT32_MAX));
  int room = validate_preamble(request.preamble, config.vocabulary, context_length);
  if (is_cut(request, context_length)) room = kMostWindowedTokens;
  if (n > room - (request.kind == RequestKind::kGenerate ? 1 : 0)) {
    const char* where = room < context_length ? " after its preamble" : "";
    fail(ErrorCode::kContextOverflow,
         "the prompt has " + std::to_string(n) + " tokens, but the context holds " +
             std::to_string(room) + where + "; shorten it" +
             (context_length < config.context_length ? ", raise `contextLength`" : "") +
             ", or read the last tokens only (`compress: { policy: 'window' }`)");
  }
  if (request.kind == RequestKind::kScore && n < 2)
    fail(ErrorCode::kInvalidArgument, "scoring needs at least two tokens");
  if (request.kind == RequestKind::kScore && (request.from < 1 || request.from >= n))
    fail(ErrorCode::kInvalidArgument,
         "`from` must be from 1 to " + std::to_string(n - 1) +
             ", the last token: a token is scored after at least one other");
  if (request.kind == RequestKind::kLogits) check_rows(request, config.vocabulary);
}

void validate_draft_context(const Request& request, int vocabulary, int room) {
  constexpr float kMostFactor = 1000;
  const auto& [tokens, factor] = request.draft_context;
  if (tokens.empty()) return;
  expect(request.kind == RequestKind::kGenerate, "a `draftContext` of a generation only");
  expect(factor >= 0 && factor <= kMostFactor, "from 0 to 1000 for `draftContext.factor`");
  check_tokens(tokens, vocabulary);
  if (room == 0)
    fail(ErrorCode::kInvalidArgument,
         "`draftContext` needs a draft model, which may be the model itself: load the engine with "
         "`draft: { model }`");
  if (std::ssize(tokens) >= room)
    fail(ErrorCode::kContextOverflow, "`draftContext` has " + std::to_string(tokens.size()) +
                                          " tokens, but the draft model has room for " +
                                          std::to_string(room - 1) +
                                          " before the answer; shorten it");
}

void validate_options(const EngineOptions& options) {
  expect(options.threads >= 0 && options.threads <= kMaxThreads, "at most 1024 `threads`");
  expect(options.context_length >= 0, "a `contextLength` of at least 0");
  expect(options.step_tokens >= 1 && options.step_tokens <= kMaxStepTokens,
         "from 1 to 4096 `stepTokens`");
  expect(options.max_step_ms >= 0, "a `maxStepMs` of at least 0");
}

void validate_batch(uint64_t batch, std::span<const int32_t> shared_with_next) {
  expect(batch != 0, "a batch's number that is not 0");
  const auto is_negative = [](int32_t n) { return n < 0; };
  expect(std::none_of(shared_with_next.begin(), shared_with_next.end(), is_negative),
         "counts of shared tokens of at least 0");
}

}  // namespace cachalot
