// The one way from the engine's thread to JavaScript: called once per step with all sequences' new
// tokens.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/convert.h"

namespace cachalot::addon {

// Over the C interface: node-addon-api's wrapper drops, without freeing, what is still queued when
// the environment ends.
class TokenChannel {
 public:
  TokenChannel(Napi::Env env, const Napi::Function& callback) {
    const auto name = Napi::String::New(env, "cachalot");
    const napi_status status = napi_create_threadsafe_function(
        env, callback, nullptr, name, 0, 1, nullptr, nullptr, nullptr, deliver, &function_);
    if (status != napi_ok) throw Napi::Error::New(env);
    keep_alive(env, false);  // an idle engine does not keep the process alive
  }
  // Only after the engine's thread has ended.
  ~TokenChannel() { napi_release_threadsafe_function(function_, napi_tsfn_abort); }
  TokenChannel(const TokenChannel&) = delete;
  TokenChannel& operator=(const TokenChannel&) = delete;

  /** On the engine's thread, or before there is one on that which loads it. Never blocks. */
  void send(StepEvents events) {
    auto message = std::make_unique<StepEvents>(std::move(events));
    const auto status =
        napi_call_threadsafe_function(function_, message.get(), napi_tsfn_nonblocking);
    if (status == napi_ok) message.release();  // to `deliver`
  }

  void keep_alive(Napi::Env env, bool alive) {
    if (alive) napi_ref_threadsafe_function(env, function_);
    else napi_unref_threadsafe_function(env, function_);
  }

 private:
  /** On the JavaScript thread; `env` is null when the environment ends, and the message is only
   * freed. */
  static void deliver(napi_env env, napi_value callback, void* /*context*/, void* data) {
    const std::unique_ptr<StepEvents> events(static_cast<StepEvents*>(data));
    if (env == nullptr) return;
    try {
      const Napi::HandleScope scope(env);
      Napi::Function(env, callback).Call({to_js(env, *events)});
    } catch (const Napi::Error& error) {
      error.ThrowAsJavaScriptException();
    }
  }

  napi_threadsafe_function function_ = nullptr;
};

}  // namespace cachalot::addon
