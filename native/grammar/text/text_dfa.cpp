#include "grammar/text/text_dfa.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "grammar/regex/nfa_sets.h"
#include "grammar/regex/utf8.h"

namespace cachalot {

namespace {

constexpr size_t kMostStates = 20'000;
constexpr size_t kMostEdges = size_t{1} << 20;

}  // namespace

TextDfa::TextDfa(std::span<const Nfa> patterns, const Fits& fits) {
  determinize(patterns, fits);
  measure();
  cut();
}

void TextDfa::find_classes(std::span<const Nfa::State> states) {
  std::vector<uint32_t> begins{0};
  for (const Nfa::State& state : states) {
    if (!state.reads() || state.first > CodePoints::kLast) continue;
    begins.push_back(state.first);
    if (state.last < CodePoints::kLast) begins.push_back(state.last + 1);
  }
  std::ranges::sort(begins);
  begins.erase(std::unique(begins.begin(), begins.end()), begins.end());
  first_of_class_ = std::move(begins);
}

void TextDfa::determinize(std::span<const Nfa> patterns, const Fits& fits) {
  NfaSets sets(patterns);
  find_classes(sets.states());
  std::unordered_map<NfaSets::Set, int32_t, NfaSets::Hash> known;
  std::vector<const NfaSets::Set*> open;
  const auto state_of = [&](NfaSets::Set set) {
    const auto [at, is_new] =
        known.try_emplace(std::move(set), static_cast<int32_t>(states_.size()));
    if (!is_new) return at->second;
    if (states_.size() == kMostStates || edges_.size() + n_classes() > kMostEdges)
      throw Error(ErrorCode::kInvalidArgument,
                  "its patterns and lengths are too complex together: they need more than 20,000 "
                  "states");
    State state;
    state.matches = sets.matches(at->first);
    state.accepts = fits(state.matches);
    states_.push_back(std::move(state));
    edges_.resize(edges_.size() + n_classes(), kDead);
    open.push_back(&at->first);
    return at->second;
  };
  start_ = state_of(sets.start());
  for (size_t i = 0; i < open.size(); i++) {
    const NfaSets::Set& set = *open[i];
    for (size_t one = 0; one < n_classes(); one++) {
      const int32_t next = state_of(sets.after(set, first_of_class_[one]));
      edges_[i * n_classes() + one] = next;
    }
  }
}

/** Sets how far the nearest end is: breadth first, from the ends. */
void TextDfa::measure() {
  std::vector<std::vector<int32_t>> before(n_states());
  std::vector<int32_t> open;
  for (size_t i = 0; i < n_states(); i++) {
    for (size_t one = 0; one < n_classes(); one++)
      before[static_cast<size_t>(edges_[i * n_classes() + one])].push_back(static_cast<int32_t>(i));
    if (!states_[i].accepts) continue;
    states_[i].nearest = 0;
    open.push_back(static_cast<int32_t>(i));
  }
  for (size_t i = 0; i < open.size(); i++) {
    const int64_t far = states_[static_cast<size_t>(open[i])].nearest + 1;
    for (const int32_t state : before[static_cast<size_t>(open[i])]) {
      if (states_[static_cast<size_t>(state)].nearest != kEndless) continue;
      states_[static_cast<size_t>(state)].nearest = far;
      open.push_back(state);
    }
  }
}

/** Cuts edges to states from which no text ends well. */
void TextDfa::cut() {
  const auto is_dead = [&](int32_t state) { return nearest(state) == kEndless; };
  for (int32_t& next : edges_)
    if (is_dead(next)) next = kDead;
  if (is_dead(start_)) start_ = kDead;
}

bool TextDfa::goes_on(int32_t state, CodePointRange range, int64_t most) const {
  const size_t last = class_of(range.last);
  for (size_t one = class_of(range.first); one <= last; one++) {
    const int32_t to = edge(state, one);
    if (to != kDead && nearest(to) <= most) return true;
  }
  return false;
}

size_t TextDfa::class_of(uint32_t code_point) const {
  const auto after = std::ranges::upper_bound(first_of_class_, code_point);
  return static_cast<size_t>(after - first_of_class_.begin()) - 1;
}

CodePointRange TextDfa::class_range(size_t one) const {
  const bool is_last = one + 1 == n_classes();
  return {first_of_class_[one], is_last ? CodePoints::kLast : first_of_class_[one + 1] - 1};
}

std::optional<std::vector<std::pair<std::string, int32_t>>> TextDfa::texts(size_t most) const {
  std::vector<std::pair<std::string, int32_t>> open, found;
  if (start_ != kDead) open.emplace_back("", start_);
  for (size_t i = 0; i < open.size(); i++) {
    const auto [text, state] = open[i];
    if (accepts(state)) found.emplace_back(text, state);
    for (size_t one = 0; one < n_classes(); one++) {
      const CodePointRange range = class_range(one);
      const int32_t next = edge(state, one);
      if (next == kDead) continue;
      // Each of them leads to a text at least.
      if (range.last - range.first >= most || open.size() + (range.last - range.first) > most * 32)
        return std::nullopt;
      for (uint32_t value = range.first; value <= range.last; value++) {
        if (is_surrogate(value)) continue;
        uint8_t bytes[4];
        const int n = utf8_bytes(value, bytes);
        open.emplace_back(text + std::string(bytes, bytes + n), next);
      }
    }
    if (found.size() > most) return std::nullopt;
  }
  return found;
}

}  // namespace cachalot
