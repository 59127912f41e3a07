#include "grammar/schema/key_classes.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "grammar/schema/goals.h"

namespace cachalot {

namespace {

/** One way in which a name may fit what names have to fit. */
struct NameWay {
  std::vector<size_t> matches, not_matches;  // automata
};

class Classifier {
 public:
  Classifier(Goals& goals, const Shape& shape) : goals_(goals), shape_(shape) {}

  KeyClasses run() {
    for (const auto& rules : {shape_.keys, shape_.some_keys}) {
      for (const KeyRule& rule : rules) {
        names_.insert(rule.keys.names.begin(), rule.keys.names.end());
        for (const int32_t pattern : rule.keys.patterns) use(pattern);
      }
    }
    names_.insert(shape_.required.begin(), shape_.required.end());
    names_.insert(shape_.forbidden.begin(), shape_.forbidden.end());
    if (!shape_.key_names.empty()) add_ways();
    size_t n_named = shape_.keys.size();
    for (const KeyRule& rule : shape_.keys) n_named += rule.keys.names.size();
    goals_.compare(names_.size() * n_named);
    for (const std::string& name : names_) add_name(name);
    add_others();
    return std::move(result_);
  }

 private:
  size_t use(int32_t pattern) {
    const auto [at, is_new] = used_.try_emplace(pattern, result_.automata.size());
    if (is_new) result_.automata.push_back(goals_.schema().patterns[static_cast<size_t>(pattern)]);
    return at->second;
  }

  void add_ways() {
    for (const Shape& way : goals_.shapes(goals_.goal_of(shape_.key_names))) {
      if ((way.types & kTextType) == 0) continue;
      names_.insert(way.not_texts.begin(), way.not_texts.end());
      for (const Literal& literal : way.literals) names_.insert(literal.text);
      if (way.is_listed) continue;  // not for others
      NameWay& one = ways_.emplace_back();
      for (const int32_t pattern : way.patterns) one.matches.push_back(use(pattern));
      for (const int32_t pattern : way.not_patterns) one.not_matches.push_back(use(pattern));
      if (way.least_length == 0 && way.most_length == kUnlimited) continue;
      one.matches.push_back(result_.automata.size());
      const bool is_endless = way.most_length == kUnlimited;
      result_.automata.push_back(
          nfa_of_length(way.least_length, is_endless ? Regex::kUnbounded : way.most_length));
    }
  }

  void add_name(const std::string& name) {
    NamedKey key{name, {}, !shape_.forbidden.contains(name)};
    if (!shape_.key_names.empty() && !goals_.fits_text(goals_.goal_of(shape_.key_names), name))
      key.fits = false;
    for (const KeyRule& rule : shape_.keys)
      if (is_key_in(goals_, rule.keys, name)) key.claims.push_back(rule.claim);
    result_.names.push_back(std::move(key));
  }

  bool may_be_name(const std::vector<bool>& matches) const {
    if (shape_.key_names.empty()) return true;
    return std::ranges::any_of(ways_, [&](const NameWay& way) {
      return std::ranges::all_of(way.matches, [&](size_t i) { return matches[i]; }) &&
             std::ranges::none_of(way.not_matches, [&](size_t i) { return matches[i]; });
    });
  }

  void add_others() {
    std::set<std::vector<bool>> found;
    if (result_.automata.empty()) {
      if (may_be_name({})) found.insert(std::vector<bool>());
    } else {
      const TextDfa dfa(result_.automata,
                        [&](const auto& matches) { return may_be_name(matches); });
      for (size_t i = 0; i < dfa.n_states(); i++)
        if (dfa.accepts(static_cast<int32_t>(i)))
          found.insert(dfa.matches(static_cast<int32_t>(i)));
    }
    for (const auto& matches : found) {
      OtherKeys others{matches, {}, {}};
      for (const auto& [pattern, automaton] : used_)
        if (matches[automaton]) others.patterns.push_back(pattern);
      for (const KeyRule& rule : shape_.keys)
        if (is_class_in(rule.keys, others)) others.claims.push_back(rule.claim);
      result_.others.push_back(std::move(others));
    }
  }

  Goals& goals_;
  const Shape& shape_;
  KeyClasses result_;
  std::set<std::string> names_;
  std::map<int32_t, size_t> used_;  // patterns of the schema, as automata
  std::vector<NameWay> ways_;
};

}  // namespace

KeyClasses key_classes(Goals& goals, const Shape& shape) { return Classifier(goals, shape).run(); }

bool is_key_in(Goals& goals, const KeySet& keys, const std::string& name) {
  const bool is_named = std::ranges::count(keys.names, name) > 0;
  if (keys.kind == KeySet::Kind::kName) return is_named;
  const bool is_matched = std::ranges::any_of(
      keys.patterns, [&](int32_t pattern) { return goals.matches(pattern, name); });
  return keys.kind == KeySet::Kind::kPattern ? is_matched : !is_named && !is_matched;
}

bool is_class_in(const KeySet& keys, const OtherKeys& others) {
  if (keys.kind == KeySet::Kind::kName) return false;
  const bool is_matched = std::ranges::any_of(keys.patterns, [&](int32_t pattern) {
    return std::ranges::count(others.patterns, pattern) > 0;
  });
  return is_matched == (keys.kind == KeySet::Kind::kPattern);
}

Nfa nfa_of_length(int64_t least, int64_t most) {
  constexpr int64_t kMost = 20'000;
  if (least > kMost || most > kMost)
    throw Error(ErrorCode::kInvalidArgument,
                "a length beyond 20,000 beside patterns, or of names, is not supported");
  auto any = std::make_shared<const Regex>(Regex{Regex::Kind::kSet, CodePoints().complement()});
  const Regex repeat{
      Regex::Kind::kRepeat, {}, {std::move(any)}, static_cast<int>(least), static_cast<int>(most)};
  return make_nfa(repeat, RegexMatch::kWhole, Alphabet::kCodePoints);
}

}  // namespace cachalot
