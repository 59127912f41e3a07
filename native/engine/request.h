// What users ask of the engine, and what comes back: plain data, made and read by the addon.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kv/segment.h"

namespace cachalot {

enum class RequestKind {
  kGenerate,  // sample tokens
  kScore,     // log-probability of each token after the first
  kLogits,    // logits of some rows
  kPrefill,   // compute the KV, and nothing else
};

/** DRY: a token that would make a repetition longer loses multiplier * base ^ (length - allowed).
 */
struct DryOptions {
  float multiplier = 0;  // 0: off
  float base = 1.75f;
  int allowed_length = 2;         // repetitions up to here are free
  int window = 0;                 // of last tokens looked at; 0: all
  std::vector<int32_t> breakers;  // ascending; a repetition ends at such a token
};

/** In the order of docs/engine.md; backend/params.h says what each does. */
struct SamplingOptions {
  std::vector<std::pair<int32_t, float>> bias;
  float repetition_penalty = 1;  // of tokens in prompt and answer (Keskar et al. 2019)
  float frequency_penalty = 0;   // per occurrence in the answer
  float presence_penalty = 0;    // for any occurrence in the answer
  int penalty_window = 0;        // of last tokens that the three look at; 0: all
  DryOptions dry;
  float temperature = 0;
  int top_k = 0;
  float typical_p = 1, top_p = 1, min_p = 0;
  uint64_t seed = 0;
  uint32_t completion = 0;
  int n_top = 0;  // likeliest tokens to report with each token

  bool has_penalties() const {
    return repetition_penalty != 1 || frequency_penalty != 0 || presence_penalty != 0;
  }
  bool has_edits() const { return !bias.empty() || has_penalties() || dry.multiplier > 0; }
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
  uint64_t pin = 0;           // kPrefill: not 0: keep the KV under this name until it is unpinned
  int priority = kDefaultPriority;  // 0 to 100: who runs first, and whose KV is kept longest
  int64_t ttl_ms = 0;        // kPrefill: how long its KV is kept after its last use; 0: no limit
  int64_t deadline_ms = 0;   // from submission; 0: none
  uint64_t batch = 0;        // not 0: an item of that batch, see Engine::begin_batch
  int batch_rank = 0;        // its place in the batch's order
  bool tells_start = false;  // somebody wants its StartEvent
};

/** A request is in its first step. */
struct StartEvent {
  uint64_t id = 0;
  int cached_tokens = 0;
  double queued_ms = 0;  // from submission
};

struct TokenEvent {
  uint64_t id;
  int32_t token;
  float logprob;
  std::vector<std::pair<int32_t, float>> top;  // likeliest tokens and their log-probabilities
};

struct RequestTimings {
  double queued_ms = 0;   // from submission to the first step
  double prefill_ms = 0;  // to the first token
  double decode_ms = 0;   // from then to the end
};

enum class FinishReason { kStop, kLength, kDone, kAborted, kError };

struct FinishEvent {
  uint64_t id = 0;
  FinishReason reason = FinishReason::kError;
  std::optional<Error> error;  // when reason is kError
  int prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  RequestTimings timings;
  std::vector<float> values;  // kScore: log-probabilities; kLogits: rows of logits
};

/** How much of the model's weights is ready: while it is loaded. */
struct LoadProgress {
  uint64_t bytes, total_bytes;
};

/** What happened in one step, or in several that nobody has looked at yet: crosses to JavaScript at
 * once. Lists, because starts and ends of requests are made beforehand, and put here and passed on
 * without needing memory: nobody may wait for ever because there is none. */
struct StepEvents {
  std::list<StartEvent> started;
  std::list<TokenEvent> tokens;
  std::list<FinishEvent> finished;
  std::optional<LoadProgress> loading;
  bool empty() const { return started.empty() && tokens.empty() && finished.empty() && !loading; }
  /** What happened later. */
  void append(StepEvents&& later) noexcept {
    started.splice(started.end(), later.started);
    tokens.splice(tokens.end(), later.tokens);
    finished.splice(finished.end(), later.finished);
    if (later.loading) loading = std::exchange(later.loading, std::nullopt);
  }
};

}  // namespace cachalot
