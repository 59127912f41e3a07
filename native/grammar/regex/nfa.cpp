#include "grammar/regex/nfa.h"

#include <map>
#include <tuple>

#include "base/error.h"
#include "grammar/regex/utf8.h"

namespace cachalot {

namespace {

constexpr size_t kMostStates = size_t{1} << 17;

/** Made from the end: each part knows the state after it. */
class Builder {
 public:
  explicit Builder(Alphabet alphabet, Nfa nfa = {}) : alphabet_(alphabet), nfa_(std::move(nfa)) {}

  Nfa add_before(const Regex& regex, int32_t next, int32_t* entry) {
    *entry = compile(regex, next);
    return std::move(nfa_);
  }

  Nfa build(const Regex& regex, RegexMatch match) {
    nfa_.accept = add({});
    const bool is_whole = match == RegexMatch::kWhole;
    const int32_t end = is_whole ? maybe(Nfa::kEnd, nfa_.accept) : anything(nfa_.accept);
    const int32_t begin = compile(regex, end);
    nfa_.entry = is_whole ? maybe(Nfa::kBegin, begin) : anything(begin);
    return std::move(nfa_);
  }

 private:
  int32_t add(const Nfa::State& state) {
    if (nfa_.states.size() == kMostStates)
      throw Error(ErrorCode::kInvalidArgument,
                  "the regular expression cannot be used: it needs more than 131,072 states; make "
                  "its counts smaller");
    nfa_.states.push_back(state);
    return static_cast<int32_t>(nfa_.states.size()) - 1;
  }
  int32_t reading(uint32_t first, uint32_t last, int32_t next) {
    return add({first, last, next, Nfa::kNone, Nfa::kNone});
  }
  int32_t either(int32_t one, int32_t other) { return add({1, 0, one, other, Nfa::kNone}); }

  int32_t maybe(uint32_t symbol, int32_t next) {
    return either(reading(symbol, symbol, next), next);
  }
  int32_t anything(int32_t next) {
    const int32_t loop = either(Nfa::kNone, next);
    const int32_t read = reading(0, Nfa::kEnd, loop);
    nfa_.states[static_cast<size_t>(loop)].next = read;
    return loop;
  }

  int32_t compile(const Regex& regex, int32_t next) {
    switch (regex.kind) {
      case Regex::Kind::kSet: return compile_set(regex.set, next);
      case Regex::Kind::kBegin: return reading(Nfa::kBegin, Nfa::kBegin, next);
      case Regex::Kind::kEnd: return reading(Nfa::kEnd, Nfa::kEnd, next);
      case Regex::Kind::kRule: return add({1, 0, next, Nfa::kNone, regex.rule});
      case Regex::Kind::kRepeat: return compile_repeat(regex, next);
      case Regex::Kind::kConcat:
        for (auto part = regex.parts.rbegin(); part != regex.parts.rend(); ++part)
          next = compile(**part, next);
        return next;
      case Regex::Kind::kAlternate: {
        int32_t entry = Nfa::kNone;
        for (const RegexRef& part : regex.parts) {
          const int32_t one = compile(*part, next);
          entry = entry == Nfa::kNone ? one : either(entry, one);
        }
        return entry;
      }
    }
    return next;
  }

  int32_t compile_repeat(const Regex& regex, int32_t next) {
    const Regex& part = *regex.parts.front();
    int32_t entry = next;
    if (regex.most == Regex::kUnbounded) {
      entry = either(Nfa::kNone, next);
      const int32_t body = compile(part, entry);
      nfa_.states[static_cast<size_t>(entry)].next = body;
    } else {
      for (int i = regex.least; i < regex.most; i++) {
        const int32_t body = compile(part, entry);
        if (body == entry) break;  // of nothing, as often as you like
        entry = either(body, next);
      }
    }
    for (int i = 0; i < regex.least; i++) {
      const int32_t body = compile(part, entry);
      if (body == entry) break;
      entry = body;
    }
    return entry;
  }

  int32_t compile_set(const CodePoints& set, int32_t next) {
    if (alphabet_ == Alphabet::kBytes) return compile_bytes(set, next);
    int32_t entry = Nfa::kNone;
    const CodePoints written = set.complement().complement();  // no halves of surrogate pairs
    for (const CodePointRange& range : written.ranges()) {
      const int32_t one = reading(range.first, range.last, next);
      entry = entry == Nfa::kNone ? one : either(one, entry);
    }
    return entry == Nfa::kNone ? either(Nfa::kNone, Nfa::kNone) : entry;
  }

  /** Sequences of bytes that end alike share states. */
  int32_t compile_bytes(const CodePoints& set, int32_t next) {
    std::map<std::tuple<uint8_t, uint8_t, int32_t>, int32_t> known;
    int32_t entry = Nfa::kNone;
    for_each_utf8_sequence(set, [&](std::span<const ByteRange> sequence) {
      int32_t after = next;
      bool is_new = false;
      for (auto range = sequence.rbegin(); range != sequence.rend(); ++range) {
        const auto [at, added] = known.try_emplace({range->first, range->last, after}, 0);
        if (added) at->second = reading(range->first, range->last, after);
        after = at->second;
        is_new = added;
      }
      if (is_new) entry = entry == Nfa::kNone ? after : either(after, entry);
    });
    return entry == Nfa::kNone ? either(Nfa::kNone, Nfa::kNone) : entry;
  }

  Alphabet alphabet_;
  Nfa nfa_;
};

/** Marks the states from which a marked one is reached. `follows`: whether an edge may be gone. */
template <typename Follows>
void spread_back(const Nfa& nfa, const Follows& follows, std::vector<bool>* marks) {
  std::vector<std::vector<int32_t>> before(nfa.states.size());
  for (size_t i = 0; i < nfa.states.size(); i++) {
    if (!follows(nfa.states[i])) continue;
    for (const int32_t to : {nfa.states[i].next, nfa.states[i].other})
      if (to != Nfa::kNone) before[static_cast<size_t>(to)].push_back(static_cast<int32_t>(i));
  }
  std::vector<int32_t> open;
  for (size_t i = 0; i < marks->size(); i++)
    if ((*marks)[i]) open.push_back(static_cast<int32_t>(i));
  while (!open.empty()) {
    const auto state = static_cast<size_t>(open.back());
    open.pop_back();
    for (const int32_t one : before[state]) {
      if ((*marks)[static_cast<size_t>(one)]) continue;
      (*marks)[static_cast<size_t>(one)] = true;
      open.push_back(one);
    }
  }
}

/** Cuts edges to states from which the text cannot end. */
void prune(Nfa* nfa) {
  const auto needs_nothing = [](const Nfa::State& state) { return !state.reads(); };
  std::vector<bool> ends(nfa->states.size());  // after the end of the text
  ends[static_cast<size_t>(nfa->accept)] = true;
  spread_back(*nfa, needs_nothing, &ends);
  const auto leads_to = [&](const Nfa::State& state, const std::vector<bool>& marks) {
    return state.next != Nfa::kNone && marks[static_cast<size_t>(state.next)];
  };
  std::vector<bool> lives(nfa->states.size());  // in the text
  for (size_t i = 0; i < lives.size(); i++) {
    const Nfa::State& state = nfa->states[i];
    lives[i] = state.reads() && state.last >= Nfa::kEnd && leads_to(state, ends);
  }
  spread_back(
      *nfa, [](const Nfa::State& state) { return !state.reads() || state.first < Nfa::kBegin; },
      &lives);
  std::vector<bool> begins = lives;  // before it
  for (size_t i = 0; i < begins.size(); i++) {
    const Nfa::State& state = nfa->states[i];
    begins[i] = begins[i] || (state.reads_begin_only() && leads_to(state, lives));
  }
  spread_back(*nfa, needs_nothing, &begins);
  for (Nfa::State& state : nfa->states) {
    const bool is_end = state.reads() && state.first == Nfa::kEnd;
    for (int32_t* to : {&state.next, &state.other}) {
      if (*to == Nfa::kNone) continue;
      const auto at = static_cast<size_t>(*to);
      const bool stays = is_end          ? ends[at]
                         : state.reads() ? lives[at] || (state.last >= Nfa::kEnd && ends[at])
                                         : begins[at] || ends[at];
      if (!stays) *to = Nfa::kNone;
    }
  }
}

}  // namespace

int32_t add_regex(const Regex& regex, int32_t next, Nfa* nfa) {
  int32_t entry = Nfa::kNone;
  *nfa = Builder(Alphabet::kBytes, std::move(*nfa)).add_before(regex, next, &entry);
  return entry;
}

Nfa make_nfa(const Regex& regex, RegexMatch match, Alphabet alphabet) {
  Nfa nfa = Builder(alphabet).build(regex, match);
  prune(&nfa);
  return nfa;
}

}  // namespace cachalot
