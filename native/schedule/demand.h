// The outputs that a request still wants from its tokens' rows. It is built once, when the request
// is submitted, so the scheduler never asks what kind of request it serves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace cachalot {

/** How the output of a wanted row is used. */
enum class OutputKind {
  kToken,    // a token is drawn, and appended to the sequence
  kLogprob,  // the log-probability of the sequence's next token is reported
  kLogits,   // the row of logits is reported
};

class Demand {
 public:
  Demand() = default;

  /** Draws up to max_tokens tokens after n_tokens. */
  static Demand generate(int n_tokens, int max_tokens) {
    Demand demand(OutputKind::kToken, n_tokens, {n_tokens - 1});
    demand.max_tokens_ = max_tokens;
    return demand;
  }
  /** Computes the KV of n_tokens, and nothing else. */
  static Demand prefill(int n_tokens) { return {OutputKind::kToken, n_tokens, {}}; }
  /** The log-probability of each token after row `first`; the last row is never computed. */
  static Demand score(int first, int n_tokens) {
    std::vector<int32_t> rows(static_cast<size_t>(n_tokens - 1 - first));
    std::iota(rows.begin(), rows.end(), first);
    return {OutputKind::kLogprob, n_tokens - 1, std::move(rows)};
  }
  /** The logits of some rows, ascending. */
  static Demand logits(std::vector<int32_t> rows) {
    const int n_compute = rows.back() + 1;
    return {OutputKind::kLogits, n_compute, std::move(rows)};
  }

  OutputKind output() const { return output_; }
  /** The most tokens that are generated. */
  int max_tokens() const { return max_tokens_; }
  /** Rows whose outputs are wanted in all, delivered ones included. */
  size_t n_rows() const { return rows_.size(); }
  /** How many first tokens must be computed before the request can end. */
  int n_compute() const { return n_compute_; }
  /** How many first tokens may come from the cache; rows whose outputs are wanted must be
   * computed. */
  int n_reusable() const {
    return n_delivered_ < rows_.size() ? rows_[n_delivered_] : n_compute_ - 1;
  }
  /** The rows of [first, first + n) whose outputs are wanted. After a preemption, rows that were
   * delivered may be computed again; they are not wanted twice. */
  std::span<const int32_t> wanted_in(int first, int n) const {
    const auto pending = rows_.begin() + static_cast<std::ptrdiff_t>(n_delivered_);
    const auto begin = std::lower_bound(pending, rows_.end(), first);
    return {begin, std::lower_bound(begin, rows_.end(), first + n)};
  }

  /** The output of the next wanted row was reported. */
  void deliver() { n_delivered_++; }
  /** A token was drawn from the wanted row and appended: its own row is wanted now. */
  void advance() {
    rows_[0]++;
    n_compute_++;
  }

 private:
  Demand(OutputKind output, int n_compute, std::vector<int32_t> rows)
      : output_(output), n_compute_(n_compute), rows_(std::move(rows)) {}

  OutputKind output_ = OutputKind::kToken;
  int n_compute_ = 0, max_tokens_ = 0;
  std::vector<int32_t> rows_;  // ascending
  size_t n_delivered_ = 0;     // of rows_
};

}  // namespace cachalot
