// The one way from the engine's thread to JavaScript: called once per step with all sequences' new
// tokens. Events wait in a mailbox until JavaScript looks, so that nothing is lost when there is
// no memory for a message.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <utility>

#include "addon/convert.h"

namespace cachalot::addon {

// Uses the C interface: node-addon-api's wrapper drops, without freeing them, the calls that are
// still queued when the environment ends.
class TokenChannel {
 public:
  TokenChannel(Napi::Env env, const Napi::Function& callback)
      : mailbox_(std::make_shared<Mailbox>()) {
    const auto name = Napi::String::New(env, "cachalot");
    auto context = std::make_unique<std::shared_ptr<Mailbox>>(mailbox_);
    const napi_status status =
        napi_create_threadsafe_function(env, callback, nullptr, name, 0, 1, context.get(), let_go,
                                        context.get(), deliver, &function_);
    if (status != napi_ok) throw Napi::Error::New(env);
    context.release();       // to `let_go`
    keep_alive(env, false);  // an idle engine does not keep the process alive
  }
  // Only after the engine's thread has ended.
  ~TokenChannel() { napi_release_threadsafe_function(function_, napi_tsfn_abort); }
  TokenChannel(const TokenChannel&) = delete;
  TokenChannel& operator=(const TokenChannel&) = delete;

  /** Called on the engine's thread, or before that exists, on the loading one. Never blocks. */
  void send(StepEvents events) noexcept {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->events.append(std::move(events));
    if (mailbox_->is_announced) return;
    mailbox_->is_announced =
        napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_ok;
  }

  void keep_alive(Napi::Env env, bool alive) {
    if (alive) napi_ref_threadsafe_function(env, function_);
    else napi_unref_threadsafe_function(env, function_);
  }

 private:
  struct Mailbox {
    std::mutex mutex;
    StepEvents events;
    bool is_announced = false;  // JavaScript will look

    StepEvents take() {
      const std::lock_guard lock(mutex);
      is_announced = false;
      return std::exchange(events, {});
    }
  };

  /** Called on the JavaScript thread; `env` is null when the environment ends. */
  static void deliver(napi_env env, napi_value callback, void* context, void* /*data*/) {
    if (env == nullptr) return;
    const StepEvents events = (*static_cast<std::shared_ptr<Mailbox>*>(context))->take();
    try {
      const Napi::HandleScope scope(env);
      Napi::Function(env, callback).Call({to_js(env, events)});
    } catch (const Napi::Error& error) {
      error.ThrowAsJavaScriptException();
    }
  }

  static void let_go(napi_env /*env*/, void* context, void* /*hint*/) {
    delete static_cast<std::shared_ptr<Mailbox>*>(context);
  }

  std::shared_ptr<Mailbox> mailbox_;  // which may outlive either end
  napi_threadsafe_function function_ = nullptr;
};

}  // namespace cachalot::addon
