#include "grammar/regex/lazy_dfa.h"

#include <algorithm>
#include <bitset>

#include "base/error.h"

namespace cachalot {

size_t LazyDfa::SetHash::operator()(const Set& set) const {
  uint64_t hash = 0xcbf29ce484222325;
  for (const int32_t state : set) {
    hash = (hash ^ static_cast<uint32_t>(state)) * 0x100000001b3;
    hash ^= hash >> 29;
  }
  return hash;
}

LazyDfa::LazyDfa(Nfa nfa, size_t most_bytes) : nfa_(std::move(nfa)), most_bytes_(most_bytes) {
  std::bitset<257> begins;  // bytes with which an edge begins, or behind which one ends
  for (const Nfa::State& state : nfa_.states) {
    if (!state.reads() || state.first > 255) continue;
    begins.set(state.first);
    begins.set(std::min<size_t>(state.last + 1, 256));
  }
  begins.set(0);
  for (size_t byte = 0; byte < 256; byte++) {
    if (begins.test(byte)) byte_of_class_.push_back(static_cast<uint8_t>(byte));
    class_of_[byte] = static_cast<uint8_t>(byte_of_class_.size() - 1);
  }
  n_classes_ = byte_of_class_.size();
  seen_.resize(nfa_.states.size());
  bytes_ = nfa_.states.size() * (sizeof(Nfa::State) + sizeof(uint32_t));
  stamp_++;
  close(nfa_.entry);
  const Set before = closed();
  has_begun_ = true;
  start_ = state_of(after(before, Nfa::kBegin));
}

/** Adds what is reached from a state without reading. */
void LazyDfa::close(int32_t state) {
  std::vector<int32_t> open{state};
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    if (at == Nfa::kNone || seen_[static_cast<size_t>(at)] == stamp_) continue;
    seen_[static_cast<size_t>(at)] = stamp_;
    has_accept_ = has_accept_ || at == nfa_.accept;
    const Nfa::State& one = nfa_.states[static_cast<size_t>(at)];
    const bool may_come = !has_begun_ || !one.reads_begin_only();
    if (one.reads() && one.next != Nfa::kNone && may_come) found_.push_back(at);
    if (one.reads()) continue;
    open.push_back(one.next);
    open.push_back(one.other);
  }
}

LazyDfa::Set LazyDfa::closed() {
  std::ranges::sort(found_);
  return std::exchange(found_, {});
}

LazyDfa::Set LazyDfa::after(const Set& set, uint16_t symbol) {
  stamp_++;
  has_accept_ = false;
  for (const int32_t state : set) {
    const Nfa::State& one = nfa_.states[static_cast<size_t>(state)];
    if (symbol >= one.first && symbol <= one.last) close(one.next);
  }
  return closed();
}

LazyDfa::State LazyDfa::state_of(Set set) {
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
  after(set, Nfa::kEnd);
  found_.clear();
  const auto state = static_cast<State>(sets_.size());
  const auto at = known_.emplace(std::move(set), state).first;
  sets_.push_back(&at->first);
  accepts_.push_back(has_accept_);
  table_.resize(table_.size() + n_classes_, kUnknown);
  return state;
}

LazyDfa::State LazyDfa::find_next(State state, uint16_t symbol) {
  const State next = state_of(after(*sets_[static_cast<size_t>(state)], symbol));
  table_[static_cast<size_t>(state) * n_classes_ + class_of_[symbol]] = next;
  return next;
}

bool LazyDfa::is_end(State state) {
  return std::ranges::all_of(byte_of_class_,
                             [&](uint8_t byte) { return next(state, byte) == kDead; });
}

}  // namespace cachalot
