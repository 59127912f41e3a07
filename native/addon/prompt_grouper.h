// The JavaScript class over group_prompts: prompts come one by one, so that no call takes long.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

namespace cachalot::addon {

class PromptGrouper final : public Napi::ObjectWrap<PromptGrouper> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit PromptGrouper(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<PromptGrouper>(info), prompts_(std::make_shared<Prompts>()) {}

 private:
  struct Prompts {
    std::vector<std::vector<int32_t>> tokens;
    std::vector<int32_t> max_tokens;
  };
  /** add(tokens, maxTokens) */
  Napi::Value add(const Napi::CallbackInfo& info);
  /** group(): Promise<{ order, sharedWithNext, distinctTokens }>; the prompts are gone then. */
  Napi::Value group(const Napi::CallbackInfo& info);

  std::shared_ptr<Prompts> prompts_;
};

}  // namespace cachalot::addon
