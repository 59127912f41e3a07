// A running or waiting request as the scheduler sees it: its tokens, what it wants of them, and the
// context that it reads and writes.
//
// A sequence with a preamble first sees to it that the preamble's parts are held. If the text of
// one is not stored (it was never computed, or was evicted), the sequence computes it, as any other
// text, and then goes on.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "kv/context.h"
#include "schedule/demand.h"

namespace cachalot {

using Clock = std::chrono::steady_clock;

struct ActiveRequest;  // the engine's; the scheduler hands it back unread

/** Some text below a preamble. */
struct TextView {
  const PreambleRef& preamble;
  std::span<const int32_t> tokens;
};

struct Sequence {
  uint64_t id = 0;
  ActiveRequest* request = nullptr;
  TreeKey key;                  // of the tree: sequences of different keys share nothing
  std::vector<int32_t> tokens;  // the prompt and the generated tokens
  int n_prompt = 0;
  int max_length = 0;  // the most tokens there is room for below the preamble
  Demand demand;
  int priority = kDefaultPriority;  // the highest runs first
  int64_t deadline_ms = 0;          // on the scheduler's clock; 0: none
  uint64_t arrival = 0;             // among equals, the smallest runs first

  bool is_running = false;
  std::vector<HeldPreamble*> preambles;     // held while it runs
  const PreamblePart* computing = nullptr;  // the part whose text is computed now; null: its own
  std::optional<Context> context;           // of the text that is computed now
  int cached_tokens = -1;     // found in the cache when first admitted; -1: not yet admitted
  Clock::time_point started;  // when first admitted

  int n_generated() const { return static_cast<int>(tokens.size()) - n_prompt; }

  // The text that is computed now.
  TextView text() const {
    if (computing != nullptr) return {computing->under, computing->tokens};
    return {key.preamble, tokens};
  }
  int n_computed() const { return context ? context->n_computed() : 0; }
  int n_pending() const { return static_cast<int>(text().tokens.size()) - n_computed(); }
  /** How many first tokens must be computed before the sequence goes on or ends. */
  int n_compute() const {
    return computing != nullptr ? static_cast<int>(computing->tokens.size()) : demand.n_compute();
  }
  /** The rows of [first, first + n) whose outputs are wanted. */
  std::span<const int32_t> wanted_in(int first, int n) const {
    return computing != nullptr ? std::span<const int32_t>() : demand.wanted_in(first, n);
  }

  /** Appends a token that was drawn. */
  void append(int32_t token) {
    tokens.push_back(token);
    demand.advance();
  }
};

}  // namespace cachalot
