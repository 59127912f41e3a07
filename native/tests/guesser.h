// Guesses of tests: right, wrong, right for a while, and all of these beside each other.
#pragma once

#include <random>

#include "engine/request.h"
#include "schedule/speculators/speculator.h"
#include "tests/client.h"

namespace cachalot::tests {

class Guesser final : public Speculator {
 public:
  /** The sequence may have n_before tokens before the request's. */
  Guesser(Request request, int n_before)
      : request_(std::move(request)),
        oracle_(oracle_of(request_)),
        n_before_(static_cast<size_t>(n_before)),
        random_(static_cast<uint64_t>(request_.draft.scripted)) {}

  void propose(std::span<const int32_t> tokens, GuessTree* tree) override;

 private:
  int below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  int add(int parent, int32_t token, GuessTree* tree);
  void add_wrong(int parent, int depth, GuessTree* tree);

  Request request_;  // the oracle reads its edits
  Oracle oracle_;    // after n_known_ tokens of the request and its answer
  size_t n_before_;
  size_t n_known_ = 0;
  std::mt19937_64 random_;
};

}  // namespace cachalot::tests
