#include "grammar/schema/schema_recognizer.h"

#include <algorithm>

#include "base/error.h"
#include "grammar/vocabulary.h"

namespace cachalot {

namespace {

constexpr size_t kMostStacks = 1000;

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
class SchemaRecognizer::Look {
 public:
  explicit Look(SchemaRecognizer& who)
      : who_(who),
        stacks_(who.machine_.mark()),
        n_states_(who.states_.size()),
        n_known_(who.known_.size()),
        bytes_(who.bytes_) {}
  ~Look() {
    who_.machine_.rewind(stacks_);
    who_.states_.rewind(n_states_);
    who_.known_.rewind(n_known_);
    who_.bytes_ = bytes_;
  }
  Look(const Look&) = delete;

 private:
  SchemaRecognizer& who_;
  SchemaMachine::Mark stacks_;
  size_t n_states_, n_known_, bytes_;
};

SchemaRecognizer::SchemaRecognizer(std::shared_ptr<const Plans> plans, size_t most_bytes)
    : plans_(std::move(plans)), most_bytes_(most_bytes), machine_(plans_) {
  start_ = state_of({machine_.start()});
}

std::unique_ptr<Recognizer> SchemaRecognizer::fresh() const {
  return std::make_unique<SchemaRecognizer>(plans_, most_bytes_);
}

size_t SchemaRecognizer::Hash::operator()(const Stacks& stacks) const {
  uint64_t hash = 0;
  for (const SchemaMachine::Stack stack : stacks) mix(&hash, static_cast<uint32_t>(stack) + 1u);
  return static_cast<size_t>(hash);
}

size_t SchemaRecognizer::bytes() const { return machine_.bytes() + bytes_ + known_.bytes(); }

SchemaRecognizer::State SchemaRecognizer::state_of(const Stacks& stacks) {
  if (stacks.empty()) return kDead;
  const size_t n_before = states_.size();
  const State state = states_.id_of(stacks);
  if (states_.size() == n_before) return state;
  bytes_ += 96 + stacks.size() * sizeof(SchemaMachine::Stack);
  if (stacks.size() > kMostStacks)
    throw Error(ErrorCode::kGrammarFailed,
                "the answer may fit its schema in more than 1,000 ways at once; make the schema's "
                "alternatives fewer");
  if ((states_.size() & 0xff) == 0 && bytes() > most_bytes_)
    throw Error(ErrorCode::kGrammarFailed,
                "the states of the schema that the answer has to fit take more than " +
                    std::to_string(most_bytes_ >> 20) +
                    " MiB; make the schema or the answer smaller");
  return state;
}

SchemaRecognizer::State SchemaRecognizer::next(State state, uint8_t byte) {
  const uint64_t edge = static_cast<uint64_t>(state) << 8 | byte;
  if (const int32_t* known = known_.find(edge)) return *known;
  after_.clear();
  for (const SchemaMachine::Stack stack : states_[state]) machine_.step(stack, byte, &after_);
  if (after_.empty()) return kDead;  // soon found out again
  if (after_.size() > 1) {
    std::ranges::sort(after_);
    const auto repeated = std::ranges::unique(after_);
    after_.erase(repeated.begin(), repeated.end());
  }
  const State after = state_of(after_);
  known_.add(edge, after);
  return after;
}

bool SchemaRecognizer::accepts(State state) const {
  return std::ranges::any_of(states_[state],
                             [&](SchemaMachine::Stack stack) { return machine_.may_end(stack); });
}

bool SchemaRecognizer::is_end(State state) {
  return std::ranges::all_of(states_[state],
                             [&](SchemaMachine::Stack stack) { return machine_.is_end(stack); });
}

void SchemaRecognizer::allow(const Vocabulary& tokens, State state, uint32_t* mask) {
  const Look look(*this);
  const Stacks stacks = states_[state];
  for (const SchemaMachine::Stack stack : stacks) {
    int32_t in_text = 0;
    if (machine_.reader(stack, &in_text) != nullptr) allow_text(tokens, stack, mask);
    else tokens.allow(*this, state_of({stack}), mask);
  }
}

/** In a text, where most tokens are plain: what ends it or is escaped in it is read by itself. */
void SchemaRecognizer::allow_text(const Vocabulary& tokens, SchemaMachine::Stack stack,
                                  uint32_t* mask) {
  int32_t in_text = 0;
  TextReader& reader = *machine_.reader(stack, &in_text);
  const int64_t n_any = reader.n_any(in_text);
  InText inside{reader};
  if (n_any >= 0) tokens.allow_plain(n_any, mask);
  else tokens.plain().allow(inside, in_text, mask);
  tokens.others().allow(*this, state_of({stack}), mask);
  if (machine_.top(stack).kind == Frame::Kind::kKey)
    tokens.plain().allow(*this, state_of({machine_.as_mentioned(stack)}), mask);
}

}  // namespace cachalot
