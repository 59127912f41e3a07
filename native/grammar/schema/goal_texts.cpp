// Texts that fit a goal: the part of Goals that makes automata of patterns and lengths.

#include <algorithm>

#include "base/error.h"
#include "grammar/regex/nfa_sets.h"
#include "grammar/regex/syntax.h"
#include "grammar/regex/utf8.h"
#include "grammar/schema/goals.h"
#include "grammar/schema/key_classes.h"

namespace cachalot {

namespace {

constexpr size_t kMostEdges = size_t{2} << 20;  // of all automata

}  // namespace

TextRules Goals::texts_of(const Shape& shape) {
  TextRules rules{.least = shape.least_length, .most = shape.most_length};
  if (shape.patterns.empty() && shape.not_patterns.empty() && shape.not_texts.empty()) return rules;
  std::vector<Nfa> automata;
  std::string key;
  for (const auto& patterns : {shape.patterns, shape.not_patterns}) {
    for (const int32_t pattern : patterns) {
      automata.push_back(schema_.patterns[static_cast<size_t>(pattern)]);
      key += std::to_string(pattern) + ",";
    }
    key += ";";
  }
  for (const std::string& text : shape.not_texts) {
    automata.push_back(make_nfa(*regex_of_text(text), RegexMatch::kWhole, Alphabet::kCodePoints));
    key += std::to_string(text.size()) + ":" + text;
  }
  const size_t n_wanted = shape.patterns.size(), n_all = automata.size();
  const auto fits = [&](const std::vector<bool>& matches) {
    for (size_t i = 0; i < n_all; i++)
      if (matches[i] != (i < n_wanted)) return false;
    return matches.size() == n_all || matches.back();
  };
  const auto make = [&](const std::string& name) {
    auto& known = dfas_[name];
    if (!known) known = kept(std::make_shared<const TextDfa>(automata, fits));
    return known;
  };
  rules.patterns = make(key);
  const int32_t start = rules.patterns->start();
  if (start == TextDfa::kDead || rules.patterns->nearest(start) >= rules.least) return rules;
  automata.push_back(nfa_of_length(rules.least, Regex::kUnbounded));
  rules.patterns = make(key + ";" + std::to_string(rules.least));
  return rules;
}

std::shared_ptr<const TextDfa> Goals::kept(std::shared_ptr<const TextDfa> dfa) {
  n_edges_ += dfa->n_states() * dfa->n_classes();
  if (n_edges_ > kMostEdges)
    throw Error(ErrorCode::kInvalidArgument, "its patterns are too complex, all of them together");
  return dfa;
}

bool Goals::fits_text(GoalId goal, const std::string& text) {
  return std::ranges::any_of(shapes(goal), [&](const Shape& shape) {
    if ((shape.types & kTextType) == 0) return false;
    const Literal literal{true, text};
    if (shape.is_listed) return std::ranges::count(shape.literals, literal) > 0;
    return texts_of(shape).fits(text);
  });
}

bool Goals::matches(int32_t pattern, const std::string& text) {
  const auto [at, is_new] = matches_.try_emplace({pattern, text}, false);
  if (!is_new) return at->second;
  NfaSets sets({&schema_.patterns[static_cast<size_t>(pattern)], 1});
  auto set = sets.start();
  for (size_t i = 0; i < text.size();) {
    const auto [code_point, length] = first_code_point(std::string_view(text).substr(i));
    set = sets.after(set, code_point);
    i += length;
  }
  return at->second = sets.matches(set).front();
}

}  // namespace cachalot
