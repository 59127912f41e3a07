#include "engine/constraint.h"

#include <algorithm>

#include "base/check.h"

namespace cachalot {

Grammar::State Constraint::state() {
  if (generation_ == grammar_->generation()) return state_;
  state_ = grammar_->start();
  for (const int32_t token : said_) state_ = grammar_->after(state_, token);
  generation_ = grammar_->generation();
  return state_;
}

void Constraint::add_mask(std::span<const int32_t> guesses, SampleRow* row,
                          std::vector<uint32_t>* masks) {
  const size_t n_words = grammar_->mask_words(), first = masks->size();
  std::span<const uint32_t> allowed;
  bool may_end = false;
  try {
    Grammar::State state = this->state();
    for (const int32_t guess : guesses) {
      state = grammar_->after(state, guess);
      if (state == Recognizer::kDead) return;
    }
    allowed = grammar_->allowed(state);
    may_end = grammar_->accepts(state);
  } catch (const Error& error) {
    failure_ = error;
  }
  row->mask = static_cast<int32_t>(first / n_words);
  masks->resize(first + n_words);
  std::ranges::copy(allowed, masks->begin() + static_cast<std::ptrdiff_t>(first));
  if (!may_end) return;
  for (const int32_t stop : stops_)
    (*masks)[first + static_cast<size_t>(stop) / 32] |= uint32_t{1} << (stop % 32);
}

bool Constraint::advance(int32_t token) {
  grammar_->forget_if_large();  // only here, where nobody looks ahead
  state_ = grammar_->after(state(), token);
  said_.push_back(token);
  CHECK(state_ != Recognizer::kDead, "what was drawn was allowed");
  return grammar_->accepts(state_) && grammar_->is_end(state_);
}

std::vector<int32_t> Constraint::forced() noexcept {
  constexpr size_t kMostBytes = 64;
  std::vector<int32_t> tokens;
  try {
    grammar_->forced(state(), kMostBytes, &tokens);
  } catch (...) {  // they are only guesses
    tokens.clear();
  }
  return tokens;
}

int32_t Constraint::begin() noexcept {
  try {
    return state();
  } catch (...) {
    return kForbidden;
  }
}

int32_t Constraint::after(int32_t place, int32_t token) noexcept {
  try {
    return grammar_->after(place, token);
  } catch (...) {
    return kForbidden;
  }
}

Error Constraint::error() const {
  if (failure_) return *failure_;
  return {
      ErrorCode::kGrammarFailed,
      "no token of the model goes on with what the answer has to match: it needs bytes that the "
      "vocabulary lacks, or a bias forbids them"};
}

}  // namespace cachalot
