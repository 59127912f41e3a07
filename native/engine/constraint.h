// How far a request's answer has come in what it has to match, and which tokens may come next.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backend/plan_records.h"
#include "base/error.h"
#include "grammar/grammar.h"
#include "schedule/drafting/guess_tree.h"

namespace cachalot {

class Constraint final : public GuessFilter {
 public:
  /** `stops`: tokens that end an answer where it may end. */
  Constraint(std::shared_ptr<Grammar> grammar, std::span<const int32_t> stops)
      : grammar_(std::move(grammar)) {
    for (const int32_t stop : stops)
      if (stop >= 0 && stop < grammar_->vocabulary()) stops_.push_back(stop);
  }

  /** Makes the mask of the token after `guesses`, which follow the answer so far: no mask if they
   * cannot. What fails is told when the row is drawn. */
  void add_mask(std::span<const int32_t> guesses, SampleRow* row, std::vector<uint32_t>* masks);

  /** The answer has this token, which was allowed and does not end it. Returns whether nothing may
   * follow. */
  bool advance(int32_t token);

  /** The tokens of the text that must come next, as far as there is only one. */
  std::vector<int32_t> forced() noexcept;

  // Guesses that the answer cannot go on with are not tried.
  int32_t begin() noexcept override;
  int32_t after(int32_t place, int32_t token) noexcept override;

  /** The error of a row for which nothing was allowed. */
  Error error() const;

 private:
  /** Where the answer is now. Throws grammar_failed. */
  Grammar::State state();

  std::shared_ptr<Grammar> grammar_;
  std::vector<int32_t> stops_;
  std::vector<int32_t> said_;
  Grammar::State state_ = Recognizer::kDead;
  std::optional<uint64_t> generation_;  // of the state
  std::optional<Error> failure_;        // of a mask
};

}  // namespace cachalot
