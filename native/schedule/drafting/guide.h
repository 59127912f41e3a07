// A drafter that has read another, shorter context than its sequence (RAPID, Chen et al. 2025,
// arXiv 2502.20330). It tells what it would draw, for speculation, and how likely, so that the
// answer may follow it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "backend/plan_records.h"
#include "base/error.h"
#include "schedule/draft_options.h"

namespace cachalot {

class Guide {
 public:
  explicit Guide(DraftContext context) : context_(std::move(context)) {
    for (const int32_t token : context_.tokens)
      hash_ = (hash_ ^ static_cast<uint32_t>(token)) * 0x100000001b3;
  }

  const DraftContext& context() const { return context_; }
  /** Guides of equal contexts have the same. */
  std::pair<uint64_t, size_t> identity() const { return {hash_, context_.tokens.size()}; }
  /** How often what it would draw is what is drawn, of late. */
  double rate() const { return rate_; }

  /** Of a step: the tokens that it would draw, one after the other, from the sequence's next one
   * on. */
  std::span<const int32_t> guesses() const { return guesses_; }
  /** What it holds for likeliest after n of its guesses. */
  std::span<const SampledToken> likeliest(size_t n) const { return likeliest_[n]; }
  void begin_step() {
    guesses_.clear();
    likeliest_.clear();
    has_ended = false;
  }
  void add(int32_t token, std::span<const SampledToken> likeliest) {
    guesses_.push_back(token);
    likeliest_.emplace_back(likeliest.begin(), likeliest.end());
  }

  /** The sequence has drawn these tokens. */
  void learn(std::span<const int32_t> drawn) {
    constexpr double kRate = 0.1;
    for (size_t i = 0; i < std::min(drawn.size(), guesses_.size()); i++) {
      const bool is_right = drawn[i] == guesses_[i];
      rate_ += kRate * ((is_right ? 1 : 0) - rate_);
      if (!is_right) return;
    }
  }

  /** It has computed something that is not a number: a token that only the guide has drawn ends
   * what it says, and one that the sequence has ends the sequence. */
  void end_badly() {
    has_ended = true;
    if (guesses_.empty())
      failure =
          Error(ErrorCode::kNotANumber,
                "the draft model computed something that is not a number for this request; its "
                "weights are probably damaged");
  }

  bool is_read = false;          // the drafter knows its context
  bool has_ended = false;        // of a step: it has no more to say
  std::optional<Error> failure;  // of what the sequence's next token needs

 private:
  DraftContext context_;
  double rate_ = 0.7;
  uint64_t hash_ = 0xcbf29ce484222325;
  std::vector<int32_t> guesses_;
  std::vector<std::vector<SampledToken>> likeliest_;  // as many
};

}  // namespace cachalot
