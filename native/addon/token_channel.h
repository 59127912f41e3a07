// The one way from the engine's thread to JavaScript: called once per step with all sequences' new
// tokens.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/convert.h"

namespace cachalot::addon {

class TokenChannel {
 public:
  TokenChannel(Napi::Env env, const Napi::Function& callback)
      : function_(Function::New(env, callback, "cachalot", 0, 1)) {
    function_.Unref(env);  // an idle engine does not keep the process alive
  }
  // Only after the engine's thread has ended. What is still queued is dropped.
  ~TokenChannel() { function_.Abort(); }
  TokenChannel(const TokenChannel&) = delete;
  TokenChannel& operator=(const TokenChannel&) = delete;

  /** On the engine's thread. Never blocks. */
  void send(StepEvents events) {
    auto message = std::make_unique<StepEvents>(std::move(events));
    if (function_.NonBlockingCall(message.get()) == napi_ok) message.release();  // to `deliver`
  }

  void keep_alive(Napi::Env env, bool alive) {
    if (alive) function_.Ref(env);
    else function_.Unref(env);
  }

 private:
  /** On the JavaScript thread; `env` is null when the environment ends, and the message is only
   * freed. */
  static void deliver(Napi::Env env, Napi::Function callback, std::nullptr_t*, StepEvents* data) {
    const std::unique_ptr<StepEvents> owned(data);
    if (env != nullptr) callback.Call({to_js(env, *owned)});
  }

  using Function = Napi::TypedThreadSafeFunction<std::nullptr_t, StepEvents, deliver>;
  Function function_;
};

}  // namespace cachalot::addon
