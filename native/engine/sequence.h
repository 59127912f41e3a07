// One running or waiting request: its tokens, and the leaf of the prefix tree that it writes.
#pragma once

#include <chrono>
#include <list>
#include <vector>

#include "engine/request.h"
#include "kv/segment.h"

namespace cachalot {

using Clock = std::chrono::steady_clock;

struct Sequence {
  Request request;
  std::vector<int32_t> tokens;  // the prompt and what was generated
  KvSegment* leaf = nullptr;    // null while waiting
  std::vector<uint32_t>
      runs;  // of the whole context, root first; only ever appended to while running
  std::vector<float> values;  // results of kScore and kLogits so far
  int cached_tokens = -1;     // found in the tree when first scheduled; -1: not yet scheduled
  int n_outputs = 0;          // rows of results delivered (kScore, kLogits)
  uint64_t order = 0;         // of equals, the least comes first
  int64_t deadline_ms = 0;    // on the scheduler's clock; 0: none
  Clock::time_point submitted, started, first_token;
  std::list<StartEvent> start;  // made beforehand if it is to be told; empty once it was

  int n_prompt() const { return static_cast<int>(request.tokens.size()); }
  int n_generated() const { return static_cast<int>(tokens.size()) - n_prompt(); }
  int n_computed() const { return leaf == nullptr ? 0 : leaf->end(); }
  int n_pending() const { return static_cast<int>(tokens.size()) - n_computed(); }
};

}  // namespace cachalot
