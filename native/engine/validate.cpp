#include "engine/validate.h"

#include <algorithm>
#include <functional>

#include "backend/params.h"
#include "base/error.h"

namespace cachalot {

namespace {

constexpr size_t kMaxLogits = size_t{1} << 28;  // 1 GiB of floats in one answer

}  // namespace

void validate_request(const Request& request, const ModelConfig& config, int context_length) {
  const auto fail = [](ErrorCode code, const std::string& message) { throw Error(code, message); };
  if (request.tokens.empty())
    fail(ErrorCode::kInvalidArgument, "the prompt is empty: it must hold at least one token");
  for (const int32_t token : request.tokens) {
    if (token < 0 || token >= config.vocabulary) {
      fail(ErrorCode::kInvalidArgument, "token " + std::to_string(token) +
                                            " is not in the vocabulary of " +
                                            std::to_string(config.vocabulary));
    }
  }
  for (const auto& [token, bias] : request.sampling.bias) {
    if (token < 0 || token >= config.vocabulary)
      fail(ErrorCode::kInvalidArgument, "`logitBias` names the token " + std::to_string(token) +
                                            ", which is not in the vocabulary of " +
                                            std::to_string(config.vocabulary));
  }
  const SamplingOptions& sampling = request.sampling;
  if (sampling.n_top < 0 || sampling.n_top > kMaxTopTokens || sampling.dry.allowed_length < 1)
    fail(ErrorCode::kInvalidArgument, "`topLogprobs` or `dry.allowedLength` is out of its range");
  const int n = static_cast<int>(std::min<size_t>(request.tokens.size(), INT32_MAX));
  const int room = request.kind == RequestKind::kGenerate ? context_length - 1 : context_length;
  if (n > room) {
    fail(ErrorCode::kContextOverflow,
         "the prompt has " + std::to_string(n) + " tokens, but the context holds " +
             std::to_string(context_length) + "; shorten it" +
             (context_length < config.context_length ? " or raise `contextLength`" : ""));
  }
  if (request.kind == RequestKind::kScore && n < 2)
    fail(ErrorCode::kInvalidArgument, "scoring needs at least two tokens");
  if (request.kind == RequestKind::kLogits) {
    const auto& rows = request.rows;
    const bool ascending =
        std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>()) == rows.end();
    if (rows.empty() || !ascending || rows.front() < 0 || rows.back() >= n) {
      fail(ErrorCode::kInvalidArgument, "`rows` must be ascending indices of tokens of the prompt");
    }
    if (rows.size() * static_cast<size_t>(config.vocabulary) > kMaxLogits) {
      fail(ErrorCode::kInvalidArgument, "`rows` asks for " + std::to_string(rows.size()) + " x " +
                                            std::to_string(config.vocabulary) +
                                            " logits; ask for at most " +
                                            std::to_string(kMaxLogits) + " at once");
    }
  }
}

}  // namespace cachalot
