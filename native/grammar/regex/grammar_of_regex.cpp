#include "grammar/regex/grammar_of_regex.h"

#include <utility>

#include "base/error.h"
#include "grammar/regex/lazy_dfa.h"
#include "grammar/regex/nfa.h"
#include "grammar/regex/syntax.h"

namespace cachalot {

namespace {

constexpr size_t kMostStateBytes = size_t{16} << 20;

}  // namespace

std::shared_ptr<Grammar> grammar_of_regex(std::string_view pattern, std::string_view gap,
                                          std::shared_ptr<const Vocabulary> tokens) {
  RegexRef regex = parse_regex(pattern);
  if (!gap.empty()) regex = behind_gap(gap, std::move(regex));
  auto recognizer = std::make_unique<LazyDfa>(
      std::make_shared<const Nfa>(make_nfa(*regex, RegexMatch::kWhole)), kMostStateBytes);
  if (recognizer->start() == Recognizer::kDead)
    throw Error(ErrorCode::kInvalidArgument, "the regular expression matches no text at all");
  return std::make_shared<Grammar>(std::move(recognizer), std::move(tokens));
}

}  // namespace cachalot
