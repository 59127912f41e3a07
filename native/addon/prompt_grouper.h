// The JavaScript class over group_prompts: prompts come one by one, so that no call takes long.
#pragma once

#include <napi.h>

#include <vector>

namespace cachalot::addon {

class PromptGrouper final : public Napi::ObjectWrap<PromptGrouper> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit PromptGrouper(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PromptGrouper>(info) {}

 private:
  struct Prompts {
    std::vector<std::vector<int32_t>> tokens;
    std::vector<int32_t> max_tokens;
  };
  /** add(tokens, maxTokens) */
  Napi::Value add(const Napi::CallbackInfo& info);
  /** group(): Promise<{ order, sharedWithNext, distinctTokens }>; the prompts are gone then. */
  Napi::Value group(const Napi::CallbackInfo& info);

  Prompts prompts_;
};

}  // namespace cachalot::addon
