// A nondeterministic automaton read as a deterministic one: its states are sets of the other's, and
// are made when they are first reached. So a large one costs what is seen of it.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar/recognizer.h"
#include "grammar/regex/nfa_sets.h"
#include "grammar/vocabulary.h"

namespace cachalot {

class LazyDfa final : public Recognizer {
 public:
  /** `most_bytes`: of memory for states. */
  LazyDfa(std::shared_ptr<const Nfa> nfa, size_t most_bytes);

  State start() override { return start_; }
  State next(State state, uint8_t byte) override {
    const size_t at = static_cast<size_t>(state) * n_classes_ + class_of_[byte];
    return table_[at] == kUnknown ? find_next(state, byte) : table_[at];
  }
  bool accepts(State state) const override { return accepts_[static_cast<size_t>(state)]; }
  bool is_end(State state) override;
  void allow(const Vocabulary& tokens, State state, uint32_t* mask) override {
    tokens.allow(*this, state, mask);
  }
  size_t bytes() const override { return bytes_; }
  std::unique_ptr<Recognizer> fresh() const override {
    return std::make_unique<LazyDfa>(automaton_, most_bytes_);
  }

 private:
  static constexpr State kUnknown = -2;

  State find_next(State state, uint8_t byte);
  State state_of(NfaSets::Set set);

  std::shared_ptr<const Nfa> automaton_;
  NfaSets nfa_;
  size_t most_bytes_, bytes_ = 0;
  std::array<uint8_t, 256> class_of_{};  // bytes that no edge tells apart
  size_t n_classes_ = 0;
  std::vector<uint8_t> byte_of_class_;
  std::unordered_map<NfaSets::Set, State, NfaSets::Hash> known_;
  std::vector<const NfaSets::Set*> sets_;
  std::vector<bool> accepts_;
  std::vector<State> table_;  // [states, classes]
  State start_ = kDead;
};

}  // namespace cachalot
