// A running or waiting request as the scheduler sees it: its tokens, what it wants of them, and the
// leaf of the tree that it writes.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kv/segment.h"
#include "schedule/demand.h"

namespace cachalot {

using Clock = std::chrono::steady_clock;

struct ActiveRequest;  // the engine's; the scheduler hands it back unread

struct Sequence {
  uint64_t id = 0;
  ActiveRequest* request = nullptr;
  std::string key;              // of the tree: sequences of different keys share nothing
  std::vector<int32_t> tokens;  // the prompt and the generated tokens
  int n_prompt = 0;
  Demand demand;
  int priority = kDefaultPriority;  // the highest runs first
  int64_t deadline_ms = 0;          // on the scheduler's clock; 0: none
  uint64_t arrival = 0;             // among equals, the smallest runs first

  KvSegment* leaf = nullptr;    // null while waiting
  std::vector<uint32_t> slabs;  // of the whole context, root first; only appended to while running
  int cached_tokens = -1;       // found in the cache when first admitted; -1: not yet admitted
  Clock::time_point started;    // when first admitted

  int n_generated() const { return static_cast<int>(tokens.size()) - n_prompt; }
  int n_computed() const { return leaf == nullptr ? 0 : leaf->end(); }
  int n_pending() const { return static_cast<int>(tokens.size()) - n_computed(); }
  /** Appends a token that was drawn. */
  void append(int32_t token) {
    tokens.push_back(token);
    demand.advance();
  }
};

}  // namespace cachalot
