// libFuzzer target: any bytes as a regular expression, a schema or a grammar (by the first byte),
// and behind a zero byte a text that is read.

#include "grammar/grammar.h"

#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "grammar/regex/grammar_of_regex.h"
#include "grammar/rules/grammar_of_gbnf.h"
#include "grammar/schema/grammar_of_schema.h"

namespace {

using namespace cachalot;

/** Each byte is a token, and so are a few texts. */
std::shared_ptr<const Vocabulary> vocabulary() {
  std::vector<uint8_t> bytes;
  std::vector<int32_t> ends;
  for (int byte = 0; byte < 256; byte++) {
    bytes.push_back(static_cast<uint8_t>(byte));
    ends.push_back(static_cast<int32_t>(bytes.size()));
  }
  for (const std::string_view text : {"{\"", "\":", "\",\"", "\"}", "abc", "12", "\\u00", ", "}) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    ends.push_back(static_cast<int32_t>(bytes.size()));
  }
  return std::make_shared<const Vocabulary>(bytes, ends);
}

void read(Grammar& grammar, std::string_view text) {
  auto state = grammar.start();
  for (size_t i = 0;; i++) {
    const auto mask = grammar.allowed(state);
    bool may_go_on = false;
    for (const uint32_t word : mask) may_go_on = may_go_on || word != 0;
    if (!may_go_on && !grammar.accepts(state)) __builtin_trap();  // stuck
    if (i == text.size()) break;
    const auto token = static_cast<int32_t>(static_cast<uint8_t>(text[i]));
    const bool is_allowed = (mask[static_cast<size_t>(token) / 32] >> (token % 32) & 1) != 0;
    state = grammar.after(state, token);
    if (is_allowed != (state != Recognizer::kDead)) __builtin_trap();
    if (state == Recognizer::kDead) break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto tokens = vocabulary();
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto source = all.substr(0, all.find('\0'));
  const auto text =
      source.size() == all.size() ? std::string_view() : all.substr(source.size() + 1);
  try {
    switch (data[0] % 3) {
      case 0: read(*grammar_of_regex(source, "", tokens), text); break;
      case 1: read(*grammar_of_schema(source, tokens), text); break;
      default: read(*grammar_of_gbnf(source, "", tokens), text);
    }
  } catch (const Error&) {  // refused, as most are
  }
  return 0;
}
