// What users ask of the engine, and what comes back: plain data, made and read by the addon.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cachalot {

enum class RequestKind {
  kGenerate,  // sample tokens
  kScore,     // log-probability of each token after the first
  kLogits,    // logits of some rows
};

struct SamplingOptions {
  float temperature = 0;
  uint64_t seed = 0;
  uint32_t completion = 0;
};

struct Request {
  uint64_t id = 0;
  RequestKind kind = RequestKind::kGenerate;
  std::string name_space;  // requests of different namespaces share nothing
  std::vector<int32_t> tokens;
  int max_tokens = 0;
  SamplingOptions sampling;
  std::vector<int32_t> stop_tokens;
  std::vector<int32_t> rows;  // kLogits: ascending indices into tokens
};

struct TokenEvent {
  uint64_t id;
  int32_t token;
  float logprob;
};

struct RequestTimings {
  double queued_ms = 0;   // from submission to the first step
  double prefill_ms = 0;  // to the first token
  double decode_ms = 0;   // from then to the end
};

enum class FinishReason { kStop, kLength, kDone, kAborted, kError };

struct FinishEvent {
  uint64_t id;
  FinishReason reason;
  std::string error_code, error_message;  // when reason is kError
  int prompt_tokens, cached_tokens, generated_tokens;
  RequestTimings timings;
  std::vector<float> values;  // kScore: log-probabilities; kLogits: rows of logits
};

/** What happened in one step: crosses to JavaScript at once. */
struct StepEvents {
  std::vector<TokenEvent> tokens;
  std::vector<FinishEvent> finished;
  bool empty() const { return tokens.empty() && finished.empty(); }
};

}  // namespace cachalot
