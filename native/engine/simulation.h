// The scheduler, the radix tree and its pool without a model: a step takes the time that a cost
// model predicts. For traces that are too long for the machines at hand, and for tests of
// schedules.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"

namespace cachalot {

/** A roofline: a step takes as long as its arithmetic or its reading, whichever is longer. */
struct SimulatedCosts {
  double weight_bytes, kv_bytes_per_token;        // read in every step; per token of context
  double operations_per_row, operations_per_key;  // of a row; of a row and a token of its context
  double bytes_per_second, operations_per_second;
};

struct SimulatedTrace {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<int32_t> outputs;  // how many tokens each generates
  std::vector<double> arrivals;  // seconds, ascending; empty: all are there at once
};

struct SimulationOptions {
  bool is_grouped = false;  // by common prefixes, else first come, first served with LRU
  bool reuses = true;       // whether prompts find what is in the cache
  int n_slabs = 0;
  int step_rows = 0;
};

struct Simulated {
  double seconds = 0;
  int64_t prompt_rows = 0, rows = 0, steps = 0, distinct_tokens = 0;
  int peak_slabs = 0, failed = 0;
  double host_us = 0;          // scheduling, over all steps
  std::vector<uint64_t> ends;  // which prompts have ended, the first one first
  std::vector<double> first_token,
      ended;  // seconds, by prompt; failed ones have no first token: -1
};

/** `backend` gives the memory that the pool manages; nothing is computed. Throws invalid_argument
 * for arrivals that are grouped, out of order, or too few. */
Simulated simulate(SimulatedTrace trace, const SimulationOptions& options,
                   const SimulatedCosts& costs, Backend& backend);

}  // namespace cachalot
