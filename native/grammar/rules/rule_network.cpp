#include "grammar/rules/rule_network.h"

#include "base/error.h"

namespace cachalot {

namespace {

/** The states from which the end of their rule is reached, if rules with `ends` can be gone through
 * and bytes be read or not. */
std::vector<bool> reaching(const RuleNetwork& network, const std::vector<bool>& passable,
                           bool reads_bytes) {
  std::vector<std::vector<int32_t>> before(network.states.size());
  for (size_t i = 0; i < network.states.size(); i++) {
    const Nfa::State& state = network.states[i];
    if (state.reads() && !reads_bytes) continue;
    if (state.rule != Nfa::kNone && !passable[static_cast<size_t>(state.rule)]) continue;
    for (const int32_t to : {state.next, state.other})
      if (to != Nfa::kNone) before[static_cast<size_t>(to)].push_back(static_cast<int32_t>(i));
  }
  std::vector<bool> marks(network.states.size());
  std::vector<int32_t> open(network.ends.begin(), network.ends.end());
  while (!open.empty()) {
    const auto state = static_cast<size_t>(open.back());
    open.pop_back();
    if (marks[state]) continue;
    marks[state] = true;
    open.insert(open.end(), before[state].begin(), before[state].end());
  }
  return marks;
}

/** The rules that can be gone through, with bytes or without: the least such set. */
std::vector<bool> passable_rules(const RuleNetwork& network, bool reads_bytes) {
  std::vector<bool> passable(network.entries.size());
  for (bool changes = true; changes;) {
    changes = false;
    const auto marks = reaching(network, passable, reads_bytes);
    for (size_t rule = 0; rule < passable.size(); rule++) {
      const bool passes = marks[static_cast<size_t>(network.entries[rule])];
      changes = changes || (passes && !passable[rule]);
      passable[rule] = passable[rule] || passes;
    }
  }
  return passable;
}

/** The rules that may stand at the beginning of a rule. */
std::vector<int32_t> first_rules(const RuleNetwork& network, size_t rule,
                                 const std::vector<bool>& may_be_empty) {
  std::vector<int32_t> found, open{network.entries[rule]};
  std::vector<bool> seen(network.states.size());
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    if (at == Nfa::kNone || seen[static_cast<size_t>(at)]) continue;
    seen[static_cast<size_t>(at)] = true;
    const Nfa::State& state = network.states[static_cast<size_t>(at)];
    if (state.reads()) continue;
    if (state.rule != Nfa::kNone) found.push_back(state.rule);
    if (state.rule != Nfa::kNone && !may_be_empty[static_cast<size_t>(state.rule)]) continue;
    open.push_back(state.next);
    open.push_back(state.other);
  }
  return found;
}

/** Takes away, again and again, rules at whose beginning none is left. */
void refuse_left_recursion(const RuleNetwork& network, std::span<const GrammarRule> rules) {
  const auto may_be_empty = passable_rules(network, false);
  std::vector<std::vector<size_t>> users(rules.size());
  std::vector<size_t> n_first(rules.size()), open;
  for (size_t rule = 0; rule < rules.size(); rule++) {
    const auto first = first_rules(network, rule, may_be_empty);
    n_first[rule] = first.size();
    for (const int32_t one : first) users[static_cast<size_t>(one)].push_back(rule);
    if (first.empty()) open.push_back(rule);
  }
  for (size_t i = 0; i < open.size(); i++)
    for (const size_t user : users[open[i]])
      if (--n_first[user] == 0) open.push_back(user);
  for (size_t rule = 0; rule < rules.size(); rule++)
    if (n_first[rule] > 0)
      throw Error(ErrorCode::kInvalidArgument,
                  "the grammar cannot be used: the rule \"" + rules[rule].name +
                      "\" may begin with itself (left recursion); write it with * or +");
}

}  // namespace

RuleNetwork make_network(std::span<const GrammarRule> rules) {
  RuleNetwork network;
  Nfa nfa;
  for (const GrammarRule& rule : rules) {
    network.ends.push_back(static_cast<int32_t>(nfa.states.size()));
    nfa.states.emplace_back();
    network.entries.push_back(add_regex(*rule.body, network.ends.back(), &nfa));
  }
  network.states = std::move(nfa.states);
  network.is_end.resize(network.states.size());
  for (const int32_t end : network.ends) network.is_end[static_cast<size_t>(end)] = true;
  refuse_left_recursion(network, rules);
  const auto lives = passable_rules(network, true);
  if (!lives.front())
    throw Error(ErrorCode::kInvalidArgument, "the grammar cannot be used: no text fits it");
  const auto marks = reaching(network, lives, true);
  for (Nfa::State& state : network.states) {
    if (state.rule != Nfa::kNone && !lives[static_cast<size_t>(state.rule)])
      state.next = state.other = Nfa::kNone;
    for (int32_t* to : {&state.next, &state.other})
      if (*to != Nfa::kNone && !marks[static_cast<size_t>(*to)]) *to = Nfa::kNone;
  }
  return network;
}

}  // namespace cachalot
