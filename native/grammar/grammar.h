// What an answer has to match, in terms of tokens: which may come next, and where a token leads.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar/recognizer.h"
#include "grammar/vocabulary.h"

namespace cachalot {

/** Requests that ask for the same share one. Of the engine's thread only. */
class Grammar {
 public:
  using State = Recognizer::State;

  Grammar(std::unique_ptr<Recognizer> recognizer, std::shared_ptr<const Vocabulary> tokens)
      : recognizer_(std::move(recognizer)), tokens_(std::move(tokens)) {}

  State start() const { return recognizer_->start(); }
  int32_t vocabulary() const { return tokens_->vocabulary(); }
  /** 32-bit words of a mask. */
  size_t mask_words() const { return (static_cast<size_t>(tokens_->vocabulary()) + 31) / 32; }
  /** kDead: the token may not come here. */
  State after(State state, int32_t token);
  bool accepts(State state) const { return recognizer_->accepts(state); }
  /** Whether the answer is done: nothing may follow. */
  bool is_end(State state) { return recognizer_->is_end(state); }
  /** Appends the tokens of the text that must come next, as far as there is only one, up to so many
   * bytes: the longest tokens, of the ways to write it. */
  void forced(State state, size_t most_bytes, std::vector<int32_t>* tokens);
  /** The tokens that may come next, as bits: without those that end a text. Valid until the next
   * call. Throws grammar_failed. */
  std::span<const uint32_t> allowed(State state);

  /** Forgets all states, if so many are known that answers which go on better read again what they
   * have said. States of another generation mean nothing. */
  void forget_if_large();
  uint64_t generation() const { return generation_; }

 private:
  std::unique_ptr<Recognizer> recognizer_;
  std::shared_ptr<const Vocabulary> tokens_;
  std::unordered_map<State, std::vector<uint32_t>> masks_;
  size_t mask_bytes_ = 0;
  uint64_t generation_ = 0;
  int n_masks_ = 0;  // made in this generation
};

}  // namespace cachalot
