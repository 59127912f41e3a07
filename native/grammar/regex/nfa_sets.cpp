#include "grammar/regex/nfa_sets.h"

#include <algorithm>
#include <utility>

namespace cachalot {

size_t NfaSets::Hash::operator()(const Set& set) const {
  uint64_t hash = 0xcbf29ce484222325;
  for (const int32_t state : set) {
    hash = (hash ^ static_cast<uint32_t>(state)) * 0x100000001b3;
    hash ^= hash >> 29;
  }
  return hash;
}

NfaSets::NfaSets(std::span<const Nfa> automata) {
  for (const Nfa& nfa : automata) {
    const auto first = static_cast<int32_t>(states_.size());
    const auto moved = [&](int32_t state) { return state == Nfa::kNone ? state : state + first; };
    for (const Nfa::State& state : nfa.states)
      states_.push_back(
          {state.first, state.last, moved(state.next), moved(state.other), Nfa::kNone});
    entries_.push_back(moved(nfa.entry));
    accepts_.push_back(moved(nfa.accept));
  }
  seen_.resize(states_.size());
}

/** Adds what is reached from a state without reading. */
void NfaSets::close(int32_t state, bool has_begun) {
  std::vector<int32_t> open{state};
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    if (at == Nfa::kNone || seen_[static_cast<size_t>(at)] == stamp_) continue;
    seen_[static_cast<size_t>(at)] = stamp_;
    const Nfa::State& one = states_[static_cast<size_t>(at)];
    const bool may_come = !has_begun || !one.reads_begin_only();
    if (one.reads() && one.next != Nfa::kNone && may_come) found_.push_back(at);
    if (one.reads()) continue;
    open.push_back(one.next);
    open.push_back(one.other);
  }
}

NfaSets::Set NfaSets::closed() {
  std::ranges::sort(found_);
  return std::exchange(found_, {});
}

NfaSets::Set NfaSets::start() {
  stamp_++;
  for (const int32_t entry : entries_) close(entry, false);
  return after(closed(), Nfa::kBegin);
}

NfaSets::Set NfaSets::after(const Set& set, uint32_t symbol) {
  stamp_++;
  for (const int32_t state : set) {
    const Nfa::State& one = states_[static_cast<size_t>(state)];
    if (symbol >= one.first && symbol <= one.last) close(one.next, true);
  }
  return closed();
}

std::vector<bool> NfaSets::matches(const Set& set) {
  after(set, Nfa::kEnd);
  std::vector<bool> result;
  for (const int32_t accept : accepts_)
    result.push_back(seen_[static_cast<size_t>(accept)] == stamp_);
  return result;
}

}  // namespace cachalot
