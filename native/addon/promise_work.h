// Work off the JavaScript thread, answered by a promise: the one asynchronous helper of the addon.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "addon/guarded.h"

namespace cachalot::addon {

/** Runs `work` on a worker thread, then `finish` with its result on the JavaScript thread. */
template <typename Result>
class PromiseWork final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result()>;
  using Finish = std::function<Napi::Value(Napi::Env, Result)>;

  static Napi::Promise run(Napi::Env env, Work work, Finish finish) {
    auto self =
        std::unique_ptr<PromiseWork>(new PromiseWork(env, std::move(work), std::move(finish)));
    const Napi::Promise promise = self->deferred_.Promise();
    self->Queue();
    self.release();  // AsyncWorker deletes itself
    return promise;
  }

 private:
  PromiseWork(Napi::Env env, Work work, Finish finish)
      : Napi::AsyncWorker(env),
        deferred_(env),
        work_(std::move(work)),
        finish_(std::move(finish)) {}

  void Execute() override {
    try {
      result_.emplace(work_());
    } catch (...) {
      error_ = current_error();
    }
  }

  void OnOK() override {
    if (error_) return deferred_.Reject(to_js(Env(), *error_).Value());
    try {
      deferred_.Resolve(guarded(Env(), [&] { return finish_(Env(), std::move(*result_)); }));
    } catch (const Napi::Error& error) {  // a result that JavaScript cannot hold
      if (!error.IsEmpty()) deferred_.Reject(error.Value());
    }
  }

  Napi::Promise::Deferred deferred_;
  Work work_;
  Finish finish_;
  std::optional<Result> result_;
  std::optional<Error> error_;
};

}  // namespace cachalot::addon
