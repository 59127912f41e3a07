#include "addon/grammars.h"

#include <string>
#include <utility>

#include "addon/arguments.h"
#include "addon/promise_work.h"
#include "grammar/regex/grammar_of_regex.h"
#include "grammar/rules/grammar_of_gbnf.h"
#include "grammar/schema/grammar_of_schema.h"

namespace cachalot::addon {

namespace {

template <typename Object>
using Holder = std::shared_ptr<Object>;

template <typename Object>
Napi::Value to_external(Napi::Env env, Holder<Object> object) {
  auto holder = std::make_unique<Holder<Object>>(std::move(object));
  const auto external = Napi::External<Holder<Object>>::New(
      env, holder.get(), [](Napi::Env, Holder<Object>* held) { delete held; });
  holder.release();
  return external;
}

template <typename Object>
Holder<Object> from_external(const Napi::Value& value, const char* name) {
  if (!value.IsExternal()) refuse(name, "what this interface has made");
  return *value.As<Napi::External<Holder<Object>>>().Data();
}

}  // namespace

Napi::Value make_vocabulary(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray() ||
      info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    refuse("bytes", "a Uint8Array");
  const auto array = info[0].As<Napi::Uint8Array>();
  std::vector<uint8_t> bytes(array.Data(), array.Data() + array.ElementLength());
  auto ends = array_from<int32_t>(info[1], "ends");
  return PromiseWork<Holder<const Vocabulary>>::run(
      info.Env(),
      [bytes = std::move(bytes), ends = std::move(ends)] {
        return std::make_shared<const Vocabulary>(bytes, ends);
      },
      to_external<const Vocabulary>);
}

Napi::Value compile_regex(const Napi::CallbackInfo& info) {
  const auto tokens = from_external<const Vocabulary>(info[0], "vocabulary");
  const std::string pattern = string_from(info[1], "pattern"), gap = string_from(info[2], "gap");
  return PromiseWork<Holder<Grammar>>::run(
      info.Env(), [=] { return grammar_of_regex(pattern, gap, tokens); }, to_external<Grammar>);
}

Napi::Value compile_schema(const Napi::CallbackInfo& info) {
  const auto tokens = from_external<const Vocabulary>(info[0], "vocabulary");
  const std::string schema = string_from(info[1], "schema");
  return PromiseWork<Holder<Grammar>>::run(
      info.Env(), [=] { return grammar_of_schema(schema, tokens); }, to_external<Grammar>);
}

Napi::Value compile_grammar(const Napi::CallbackInfo& info) {
  const auto tokens = from_external<const Vocabulary>(info[0], "vocabulary");
  const std::string text = string_from(info[1], "grammar"), gap = string_from(info[2], "gap");
  return PromiseWork<Holder<Grammar>>::run(
      info.Env(), [=] { return grammar_of_gbnf(text, gap, tokens); }, to_external<Grammar>);
}

std::shared_ptr<Grammar> grammar_from(const Napi::Value& value) {
  return value.IsUndefined() ? nullptr : from_external<Grammar>(value, "grammar");
}

}  // namespace cachalot::addon
