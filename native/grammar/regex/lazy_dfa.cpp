#include "grammar/regex/lazy_dfa.h"

#include <algorithm>
#include <bitset>

#include "base/error.h"

namespace cachalot {

LazyDfa::LazyDfa(std::shared_ptr<const Nfa> nfa, size_t most_bytes)
    : automaton_(std::move(nfa)), nfa_({automaton_.get(), 1}), most_bytes_(most_bytes) {
  std::bitset<257> begins;  // bytes with which an edge begins, or behind which one ends
  for (const Nfa::State& state : nfa_.states()) {
    if (!state.reads() || state.first > 255) continue;
    begins.set(state.first);
    begins.set(std::min<size_t>(size_t{state.last} + 1, 256));
  }
  begins.set(0);
  for (size_t byte = 0; byte < 256; byte++) {
    if (begins.test(byte)) byte_of_class_.push_back(static_cast<uint8_t>(byte));
    class_of_[byte] = static_cast<uint8_t>(byte_of_class_.size() - 1);
  }
  n_classes_ = byte_of_class_.size();
  bytes_ = nfa_.bytes();
  start_ = state_of(nfa_.start());
}

LazyDfa::State LazyDfa::state_of(NfaSets::Set set) {
  if (set.empty()) return kDead;
  const auto found = known_.find(set);
  if (found != known_.end()) return found->second;
  constexpr size_t kOverhead = 96;  // of a map's node and the lists' entries
  const size_t bytes = set.size() * sizeof(int32_t) + n_classes_ * sizeof(State) + kOverhead;
  if (bytes_ + bytes > most_bytes_)
    throw Error(ErrorCode::kGrammarFailed,
                "what the answer has to match has become too complex: more than " +
                    std::to_string(most_bytes_ >> 20) +
                    " MiB of states; make its counts and alternatives fewer");
  bytes_ += bytes;
  const bool accepts = nfa_.matches(set).front();
  const auto state = static_cast<State>(sets_.size());
  const auto at = known_.emplace(std::move(set), state).first;
  sets_.push_back(&at->first);
  accepts_.push_back(accepts);
  table_.resize(table_.size() + n_classes_, kUnknown);
  return state;
}

LazyDfa::State LazyDfa::find_next(State state, uint8_t byte) {
  const State next = state_of(nfa_.after(*sets_[static_cast<size_t>(state)], byte));
  table_[static_cast<size_t>(state) * n_classes_ + class_of_[byte]] = next;
  return next;
}

bool LazyDfa::is_end(State state) {
  return std::ranges::all_of(byte_of_class_,
                             [&](uint8_t byte) { return next(state, byte) == kDead; });
}

}  // namespace cachalot
