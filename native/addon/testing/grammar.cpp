// Grammars without a model: what is read of a text, and which tokens may come next.

#include "grammar/grammar.h"

#include "addon/arguments.h"
#include "addon/guarded.h"
#include "addon/testing/testing.h"
#include "grammar/regex/lazy_dfa.h"
#include "grammar/regex/nfa.h"
#include "grammar/regex/syntax.h"
#include "grammar/schema/plans.h"
#include "grammar/schema/schema_recognizer.h"

namespace cachalot::addon {

namespace {

constexpr size_t kMostBytes = size_t{32} << 20;

std::vector<uint8_t> bytes_of(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::unique_ptr<LazyDfa> dfa_of(const std::string& pattern, bool is_anywhere) {
  return std::make_unique<LazyDfa>(
      std::make_shared<const Nfa>(make_nfa(
          *parse_regex(pattern), is_anywhere ? RegexMatch::kAnywhere : RegexMatch::kWhole)),
      kMostBytes);
}

/** Of each beginning of a text, from the empty one on: 0: no text of the language begins like this;
 * 1: some do; 2: it is one; 3: it is one, and nothing follows. */
Napi::Int8Array read(Napi::Env env, Recognizer& recognizer, const std::vector<uint8_t>& bytes) {
  auto result = Napi::Int8Array::New(env, bytes.size() + 1);
  auto state = recognizer.start();
  for (size_t i = 0;; i++) {
    const bool is_dead = state == Recognizer::kDead;
    const bool accepts = !is_dead && recognizer.accepts(state);
    result[i] = static_cast<int8_t>(is_dead ? 0 : !accepts ? 1 : recognizer.is_end(state) ? 3 : 2);
    if (i == bytes.size()) return result;
    if (!is_dead) state = recognizer.next(state, bytes[i]);
  }
}

// readRegex(pattern, anywhere, bytes): see read
Napi::Value read_regex(const Napi::CallbackInfo& info) {
  const auto dfa = dfa_of(string_from(info[0], "pattern"), info[1].ToBoolean());
  return read(info.Env(), *dfa, bytes_of(info[2]));
}

// readSchema(schema, [bytes, ...]): see read, for each text
Napi::Value read_schema_texts(const Napi::CallbackInfo& info) {
  SchemaRecognizer recognizer(plan_schema(string_from(info[0], "schema")), kMostBytes);
  auto result = Napi::Array::New(info.Env());
  const auto texts = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < texts.Length(); i++)
    result.Set(i, read(info.Env(), recognizer, bytes_of(texts.Get(i))));
  return result;
}

// allowedTokens(pattern, bytes and ends of tokens, [token, ...] so far): the tokens that may follow
Napi::Value allowed_tokens(const Napi::CallbackInfo& info) {
  const auto ends = array_from<int32_t>(info[2], "ends");
  const auto trie = std::make_shared<const Vocabulary>(bytes_of(info[1]), ends);
  Grammar grammar(dfa_of(string_from(info[0], "pattern"), false), trie);
  auto state = grammar.start();
  for (const int32_t token : array_from<int32_t>(info[3], "tokens"))
    if (state != Recognizer::kDead) state = grammar.after(state, token);
  auto list = Napi::Array::New(info.Env());
  if (state == Recognizer::kDead) return list;
  const auto mask = grammar.allowed(state);
  for (uint32_t token = 0; token < ends.size(); token++)
    if ((mask[token / 32] >> (token % 32) & 1) != 0) list.Set(list.Length(), token);
  return list;
}

}  // namespace

void export_grammar(Napi::Env env, Napi::Object exports) {
  exports.Set("readRegex", Napi::Function::New(env, guard<read_regex>));
  exports.Set("readSchema", Napi::Function::New(env, guard<read_schema_texts>));
  exports.Set("allowedTokens", Napi::Function::New(env, guard<allowed_tokens>));
}

}  // namespace cachalot::addon
