#include "grammar/rules/grammar_of_gbnf.h"

#include <utility>

#include "grammar/rules/rule_machine.h"
#include "grammar/stack_recognizer.h"

namespace cachalot {

namespace {

constexpr size_t kMostStateBytes = size_t{64} << 20;

}  // namespace

std::unique_ptr<Recognizer> recognizer_of_gbnf(std::string_view text, std::string_view gap) {
  auto rules = parse_gbnf(text);
  if (!gap.empty()) rules.front().body = behind_gap(gap, rules.front().body);
  auto network = std::make_shared<const RuleNetwork>(make_network(rules));
  return std::make_unique<StackRecognizer>(std::make_unique<RuleMachine>(std::move(network)),
                                           kMostStateBytes);
}

std::shared_ptr<Grammar> grammar_of_gbnf(std::string_view text, std::string_view gap,
                                         std::shared_ptr<const Vocabulary> tokens) {
  return std::make_shared<Grammar>(recognizer_of_gbnf(text, gap), std::move(tokens));
}

}  // namespace cachalot
