// The events that an engine sends: plain data, read by the addon.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "schedule/draft_options.h"

namespace cachalot {

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

/** The KV that a request read last. */
struct KvUse {
  double kept = 0;     // keys of a head, on average
  int of = 0;          // tokens
  uint64_t bytes = 0;  // of keys and values, what is shared with others included
};

enum class FinishReason { kStop, kLength, kDone, kAborted, kError };

struct FinishEvent {
  uint64_t id = 0;
  FinishReason reason = FinishReason::kError;
  std::optional<Error> error;  // when reason is kError
  int prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  int moved_tokens = 0;  // of the prompt, that are read where they were not computed
  RequestTimings timings;
  KvUse kv;
  DraftUse draft;
  std::vector<float> values;  // kScore: log-probabilities; kLogits: rows of logits
};

/** How much of the model's weights is ready: while it is loaded. */
struct LoadProgress {
  uint64_t bytes, total_bytes;
};

/** The events of one step, or of several that were not read yet; they cross to JavaScript together.
 * Starts and ends are lists because they are made beforehand: moving them here and passing them on
 * needs no memory, so no caller waits for ever when there is none. */
struct StepEvents {
  std::list<StartEvent> started;
  std::list<TokenEvent> tokens;
  std::list<FinishEvent> finished;
  std::optional<LoadProgress> loading;
  bool empty() const { return started.empty() && tokens.empty() && finished.empty() && !loading; }
  /** Adds the events of later steps. */
  void append(StepEvents&& later) noexcept {
    started.splice(started.end(), later.started);
    tokens.splice(tokens.end(), later.tokens);
    finished.splice(finished.end(), later.finished);
    if (later.loading) loading = std::exchange(later.loading, std::nullopt);
  }
};

}  // namespace cachalot
