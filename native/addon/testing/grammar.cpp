// Grammars without a model: what is read of a text, and which tokens may come next.

#include "grammar/grammar.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "addon/arguments.h"
#include "addon/guarded.h"
#include "addon/testing/testing.h"
#include "grammar/regex/lazy_dfa.h"
#include "grammar/regex/nfa.h"
#include "grammar/regex/syntax.h"
#include "grammar/rules/grammar_of_gbnf.h"
#include "grammar/schema/grammar_of_schema.h"
#include "grammar/schema/plans.h"
#include "grammar/schema/schema_machine.h"
#include "grammar/stack_recognizer.h"

namespace cachalot::addon {

namespace {

constexpr size_t kMostRegexBytes = size_t{32} << 20, kMostSchemaBytes = size_t{1} << 30;

std::vector<uint8_t> bytes_of(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::unique_ptr<LazyDfa> dfa_of(const std::string& pattern, bool is_anywhere) {
  return std::make_unique<LazyDfa>(
      std::make_shared<const Nfa>(make_nfa(
          *parse_regex(pattern), is_anywhere ? RegexMatch::kAnywhere : RegexMatch::kWhole)),
      kMostRegexBytes);
}

std::shared_ptr<const Vocabulary> vocabulary_from(const Napi::Value& bytes,
                                                  const Napi::Value& ends) {
  return std::make_shared<const Vocabulary>(bytes_of(bytes), array_from<int32_t>(ends, "ends"));
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

// readGrammar(GBNF, bytes): see read
Napi::Value read_grammar(const Napi::CallbackInfo& info) {
  const auto recognizer = recognizer_of_gbnf(string_from(info[0], "grammar"), "");
  return read(info.Env(), *recognizer, bytes_of(info[1]));
}

// readSchema(schema, [bytes, ...]): see read, for each text
Napi::Value read_schema_texts(const Napi::CallbackInfo& info) {
  StackRecognizer recognizer(
      std::make_unique<SchemaMachine>(plan_schema(string_from(info[0], "schema"))),
      kMostSchemaBytes);
  auto result = Napi::Array::New(info.Env());
  const auto texts = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < texts.Length(); i++)
    result.Set(i, read(info.Env(), recognizer, bytes_of(texts.Get(i))));
  return result;
}

// timeMasks(schema, bytes and ends of tokens, [bytes, ...]): microseconds that compiling takes, and
// each mask before a token of the texts (cut into the longest tokens)
Napi::Value time_masks(const Napi::CallbackInfo& info) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  };
  const auto trie = vocabulary_from(info[1], info[2]);
  const auto start = Clock::now();
  const auto grammar = grammar_of_schema(string_from(info[0], "schema"), trie);
  std::vector<double> times{since(start)};
  const auto texts = info[3].As<Napi::Array>();
  for (uint32_t i = 0; i < texts.Length(); i++) {
    const auto text = bytes_of(texts.Get(i));
    auto state = grammar->start();
    for (std::span<const uint8_t> left = text; !left.empty();) {
      const auto before = Clock::now();
      grammar->allowed(state);
      times.push_back(since(before));
      const int32_t token = trie->longest(left);
      state = grammar->after(state, token);
      if (state == Recognizer::kDead) break;
      left = left.subspan(trie->bytes_of(token).size());
    }
  }
  auto result = Napi::Float64Array::New(info.Env(), times.size());
  std::ranges::copy(times, result.Data());
  return result;
}

/** A text of random bytes, each of which may come, and of words. */
class RandomWalk {
 public:
  RandomWalk(Recognizer& recognizer, std::vector<std::string> words, uint64_t seed)
      : recognizer_(recognizer), words_(std::move(words)), random_(seed) {}

  /** After `n_free` bytes those that end something are preferred. Nothing: no byte may come, and it
   * is not done. */
  std::optional<std::string> run(size_t n_free) {
    auto state = recognizer_.start();
    while (text_.size() < 10 * n_free + 1000) {
      const auto may_come = next_bytes(state);
      const bool wants_end = text_.size() >= n_free;
      if (recognizer_.accepts(state) && (wants_end || may_come.empty() || random_() % 4 == 0))
        return text_;
      if (may_come.empty()) return std::nullopt;
      const bool is_in_text = may_come.size() > 64;
      if (!is_in_text && random_() % 4 != 0 && read_word(&state)) continue;
      uint8_t byte = may_come[random_() % may_come.size()];
      if (wants_end && random_() % 8 != 0) {
        const std::string_view ending = is_in_text ? "\"" : "}]0\":,";
        const auto best = std::ranges::find_first_of(ending, may_come);
        if (best != ending.end()) byte = static_cast<uint8_t>(*best);
      }
      text_.push_back(static_cast<char>(byte));
      state = recognizer_.next(state, byte);
    }
    return "";  // it did not end
  }

 private:
  std::vector<uint8_t> next_bytes(Recognizer::State state) {
    std::vector<uint8_t> bytes;
    for (int byte = 0; byte < 256; byte++)
      if (recognizer_.next(state, static_cast<uint8_t>(byte)) != Recognizer::kDead)
        bytes.push_back(static_cast<uint8_t>(byte));
    return bytes;
  }

  bool read_word(Recognizer::State* state) {
    if (words_.empty()) return false;
    const std::string& word = words_[random_() % words_.size()];
    auto after = *state;
    for (size_t i = 0; i < word.size() && after != Recognizer::kDead; i++)
      after = recognizer_.next(after, static_cast<uint8_t>(word[i]));
    if (after == Recognizer::kDead) return false;
    text_ += word;
    *state = after;
    return true;
  }

  Recognizer& recognizer_;
  std::vector<std::string> words_;
  std::mt19937_64 random_;
  std::string text_;
};

// walkSchema(schema, [word, ...], seed, bytes): see RandomWalk; null: nothing
Napi::Value walk_schema(const Napi::CallbackInfo& info) {
  StackRecognizer recognizer(
      std::make_unique<SchemaMachine>(plan_schema(string_from(info[0], "schema"))),
      kMostSchemaBytes);
  std::vector<std::string> words;
  const auto list = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); i++) words.push_back(string_from(list.Get(i), "a word"));
  RandomWalk walk(recognizer, std::move(words),
                  static_cast<uint64_t>(number_from(info[2], "seed")));
  const auto text = walk.run(static_cast<size_t>(number_from(info[3], "bytes")));
  if (!text) return info.Env().Null();
  return Napi::Buffer<char>::Copy(info.Env(), text->data(), text->size());
}

std::unique_ptr<Recognizer> recognizer_of(const std::string& pattern, const std::string& schema) {
  if (schema.empty()) return dfa_of(pattern, false);
  return std::make_unique<StackRecognizer>(std::make_unique<SchemaMachine>(plan_schema(schema)),
                                           kMostSchemaBytes);
}

// allowedTokens(pattern or "", schema or "", bytes and ends of tokens, [token, ...] so far): the
// tokens that may follow
Napi::Value allowed_tokens(const Napi::CallbackInfo& info) {
  const auto trie = vocabulary_from(info[2], info[3]);
  Grammar grammar(recognizer_of(string_from(info[0], "pattern"), string_from(info[1], "schema")),
                  trie);
  auto state = grammar.start();
  for (const int32_t token : array_from<int32_t>(info[4], "tokens"))
    if (state != Recognizer::kDead) state = grammar.after(state, token);
  auto list = Napi::Array::New(info.Env());
  if (state == Recognizer::kDead) return list;
  const auto mask = grammar.allowed(state);
  for (uint32_t token = 0; token < static_cast<uint32_t>(trie->vocabulary()); token++)
    if ((mask[token / 32] >> (token % 32) & 1) != 0) list.Set(list.Length(), token);
  return list;
}

}  // namespace

void export_grammar(Napi::Env env, Napi::Object exports) {
  exports.Set("readRegex", Napi::Function::New(env, guard<read_regex>));
  exports.Set("readGrammar", Napi::Function::New(env, guard<read_grammar>));
  exports.Set("readSchema", Napi::Function::New(env, guard<read_schema_texts>));
  exports.Set("walkSchema", Napi::Function::New(env, guard<walk_schema>));
  exports.Set("timeMasks", Napi::Function::New(env, guard<time_masks>));
  exports.Set("allowedTokens", Napi::Function::New(env, guard<allowed_tokens>));
}

}  // namespace cachalot::addon
