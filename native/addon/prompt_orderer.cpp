#include "addon/prompt_orderer.h"

#include <algorithm>
#include <utility>

#include "addon/arguments.h"
#include "addon/guarded.h"
#include "addon/promise_work.h"
#include "schedule/order_prompts.h"

namespace cachalot::addon {

namespace {

Napi::Int32Array integers_to_js(Napi::Env env, const std::vector<int32_t>& values) {
  auto array = Napi::Int32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

}  // namespace

Napi::Function PromptOrderer::define(Napi::Env env) {
  return DefineClass(
      env, "PromptOrderer",
      {InstanceMethod<&PromptOrderer::add>("add"), InstanceMethod<&PromptOrderer::order>("order")});
}

Napi::Value PromptOrderer::add(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto tokens = array_from<int32_t>(info[0], "tokens");
    const auto max_tokens = integer_from<int32_t>(info[1], "maxTokens");
    prompts_.max_tokens.resize(prompts_.tokens.size());  // drops the rest of a failed call
    prompts_.max_tokens.push_back(max_tokens);
    prompts_.tokens.push_back(std::move(tokens));
    return info.Env().Undefined();
  });
}

Napi::Value PromptOrderer::order(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&]() -> Napi::Value {
    prompts_.max_tokens.resize(prompts_.tokens.size());
    const auto prompts = std::make_shared<Prompts>(std::exchange(prompts_, {}));
    return PromiseWork<BatchOrder>::run(
        info.Env(), [prompts] { return order_prompts(prompts->tokens, prompts->max_tokens); },
        [](Napi::Env env, const BatchOrder& ordered) -> Napi::Value {
          auto object = Napi::Object::New(env);
          object.Set("order", integers_to_js(env, ordered.order));
          object.Set("sharedWithNext", integers_to_js(env, ordered.shared_with_next));
          object.Set("distinctTokens", static_cast<double>(ordered.distinct_tokens));
          return object;
        });
  });
}

}  // namespace cachalot::addon
