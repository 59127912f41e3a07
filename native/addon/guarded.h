// The guard between JavaScript and C++: every exception becomes a JavaScript error with a code of
// ours, whatever it was and wherever memory ran out.
#pragma once

#include <napi.h>

#include "addon/convert.h"

namespace cachalot::addon {

template <typename Call>
Napi::Value guarded(Napi::Env env, const Call& call) {
  try {
    return call();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js(env, current_error());
  }
}

/** The same for calls that return a promise: it is rejected, and nothing is thrown. */
template <typename Call>
Napi::Value promised(Napi::Env env, const Call& call) {
  try {
    return guarded(env, call);
  } catch (const Napi::Error& error) {
    const auto deferred = Napi::Promise::Deferred::New(env);
    deferred.Reject(error.Value());
    return deferred.Promise();
  }
}

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

/** Functions as JavaScript may call them. */
template <Function function>
Napi::Value guard(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return function(info); });
}
template <Function function>
Napi::Value guard_promise(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&] { return function(info); });
}

}  // namespace cachalot::addon
