// The JavaScript class over order_prompts: prompts come one by one, so that no call takes long.
#pragma once

#include <napi.h>

#include <vector>

namespace cachalot::addon {

class PromptOrderer final : public Napi::ObjectWrap<PromptOrderer> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit PromptOrderer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PromptOrderer>(info) {}

 private:
  struct Prompts {
    std::vector<std::vector<int32_t>> tokens;
    std::vector<int32_t> max_tokens;
  };
  /** add(tokens, maxTokens) */
  Napi::Value add(const Napi::CallbackInfo& info);
  /** order(): Promise<{ order, sharedWithNext, distinctTokens }>; the prompts are gone then. */
  Napi::Value order(const Napi::CallbackInfo& info);

  Prompts prompts_;
};

}  // namespace cachalot::addon
