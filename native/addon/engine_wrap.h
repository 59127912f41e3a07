// The JavaScript class over Engine: each method reads its arguments, calls, converts.
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "addon/guarded.h"
#include "addon/token_channel.h"
#include "engine/engine.h"

namespace cachalot::addon {

/** An engine and its channel, ended in the right order: the thread first. */
struct EngineHandle {
  std::unique_ptr<TokenChannel> channel;
  std::unique_ptr<Engine> engine;
  std::mutex saving;  // held while weights are written: the engine stays
  std::atomic<bool> stop_saving{false};
};

class EngineWrap final : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  /** load(path, options, onEvents): Promise<Engine> */
  static Napi::Value load(const Napi::CallbackInfo& info);
  using Build = std::function<std::unique_ptr<Engine>(
      const std::string& path, const EngineOptions& options, std::function<void(StepEvents)> sink)>;
  /** The same with other parts. */
  static Napi::Value load_with(const Napi::CallbackInfo& info, const Build& build);

  explicit EngineWrap(const Napi::CallbackInfo& info);
  ~EngineWrap() override;

 private:
  using Method = Napi::Value (EngineWrap::*)(const Napi::CallbackInfo&);
  /** Methods as JavaScript may call them. */
  template <Method body>
  Napi::Value guard(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] { return (this->*body)(info); });
  }
  template <Method body>
  Napi::Value promise(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] { return (this->*body)(info); });
  }
  template <Method body>
  static PropertyDescriptor method(const char* name) {
    return InstanceMethod<&EngineWrap::guard<body>>(name);
  }

  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value unpin(const Napi::CallbackInfo& info);
  Napi::Value begin_batch(const Napi::CallbackInfo& info);
  Napi::Value skip_batch_item(const Napi::CallbackInfo& info);
  Napi::Value explain(const Napi::CallbackInfo& info);
  Napi::Value clear_cache(const Napi::CallbackInfo& info);
  Napi::Value keep_alive(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value description(const Napi::CallbackInfo& info);
  Napi::Value save_layout(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  Engine& engine();
  static void end(const std::shared_ptr<EngineHandle>& handle);
  static void end_with_environment(void* self);

  napi_env env_;
  std::shared_ptr<EngineHandle> handle_;  // null once disposed
};

}  // namespace cachalot::addon
