#include "grammar/stack_recognizer.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/text/text_reader.h"
#include "grammar/vocabulary.h"

namespace cachalot {

namespace {

constexpr size_t kMostStacks = 4000;

/** A text's inside as a language of its own, without its end. */
struct InText {
  TextReader& reader;
  Recognizer::State next(Recognizer::State state, uint8_t byte) {
    const int32_t after = reader.next(state, byte);
    return after == TextReader::kClosed ? Recognizer::kDead : after;
  }
};

}  // namespace

/** What is reached while it lives is forgotten: only what an answer goes on with is kept. */
class StackRecognizer::Look {
 public:
  explicit Look(StackRecognizer& who)
      : who_(who), n_states_(who.states_.size()), n_known_(who.known_.size()), bytes_(who.bytes_) {
    who.machine_->begin_look();
  }
  ~Look() {
    who_.machine_->end_look();
    who_.states_.rewind(n_states_);
    who_.known_.rewind(n_known_);
    who_.bytes_ = bytes_;
  }
  Look(const Look&) = delete;

 private:
  StackRecognizer& who_;
  size_t n_states_, n_known_, bytes_;
};

StackRecognizer::StackRecognizer(std::unique_ptr<StackMachine> machine, size_t most_bytes)
    : machine_(std::move(machine)), most_bytes_(most_bytes) {
  machine_->start(&after_);
  start_ = settled();
}

std::unique_ptr<Recognizer> StackRecognizer::fresh() const {
  return std::make_unique<StackRecognizer>(machine_->fresh(), most_bytes_);
}

size_t StackRecognizer::Hash::operator()(const Stacks& stacks) const {
  uint64_t hash = 0;
  for (const StackMachine::Stack stack : stacks) mix(&hash, static_cast<uint32_t>(stack) + 1u);
  return static_cast<size_t>(hash);
}

size_t StackRecognizer::bytes() const { return machine_->bytes() + bytes_ + known_.bytes(); }

StackRecognizer::State StackRecognizer::state_of(const Stacks& stacks) {
  if (stacks.empty()) return kDead;
  const size_t n_before = states_.size();
  const State state = states_.id_of(stacks);
  if (states_.size() == n_before) return state;
  bytes_ += 96 + stacks.size() * sizeof(StackMachine::Stack);
  if (stacks.size() > kMostStacks)
    throw Error(ErrorCode::kGrammarFailed,
                "the answer may fit its schema or grammar in more than 4,000 ways at once; make "
                "alternatives fewer");
  if ((states_.size() & 0xff) == 0 && bytes() > most_bytes_)
    throw Error(ErrorCode::kGrammarFailed,
                "the states of what the answer has to fit take more than " +
                    std::to_string(most_bytes_ >> 20) + " MiB; make it or the answer smaller");
  return state;
}

/** The state of the stacks that a step has made. */
StackRecognizer::State StackRecognizer::settled() {
  if (after_.size() > 1) {
    std::ranges::sort(after_);
    after_.erase(std::unique(after_.begin(), after_.end()), after_.end());
  }
  return state_of(after_);
}

StackRecognizer::State StackRecognizer::next(State state, uint8_t byte) {
  const uint64_t edge = static_cast<uint64_t>(state) << 8 | byte;
  if (const int32_t* known = known_.find(edge)) return *known;
  after_.clear();
  for (const StackMachine::Stack stack : states_[state]) machine_->step(stack, byte, &after_);
  const State after = settled();
  if (after != kDead) known_.add(edge, after);  // else it is soon found out again
  return after;
}

bool StackRecognizer::accepts(State state) const {
  return std::ranges::any_of(states_[state],
                             [&](StackMachine::Stack stack) { return machine_->may_end(stack); });
}

bool StackRecognizer::is_end(State state) {
  return std::ranges::all_of(states_[state],
                             [&](StackMachine::Stack stack) { return machine_->is_end(stack); });
}

void StackRecognizer::allow(const Vocabulary& tokens, State state, uint32_t* mask) {
  const Look look(*this);
  Stacks others;
  for (const StackMachine::Stack stack : Stacks(states_[state])) {
    int32_t in_text = 0;
    if (machine_->reader(stack, &in_text) != nullptr) allow_text(tokens, stack, mask);
    else others.push_back(stack);
  }
  if (!others.empty()) tokens.allow(*this, state_of(others), mask);
}

/** In a text, where most tokens are plain: what ends it or is escaped in it is read by itself. */
void StackRecognizer::allow_text(const Vocabulary& tokens, StackMachine::Stack stack,
                                 uint32_t* mask) {
  int32_t in_text = 0;
  TextReader& reader = *machine_->reader(stack, &in_text);
  const int64_t n_any = reader.n_any(in_text);
  InText inside{reader};
  if (n_any >= 0) tokens.allow_plain(n_any, mask);
  else tokens.plain().allow(inside, in_text, mask);
  tokens.others().allow(*this, state_of({stack}), mask);
  const StackMachine::Stack mentioned = machine_->as_mentioned(stack);
  if (mentioned != stack) tokens.plain().allow(*this, state_of({mentioned}), mask);
}

}  // namespace cachalot
