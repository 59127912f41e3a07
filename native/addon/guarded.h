// Errors of our own become JavaScript errors; nothing else crosses the border.
#pragma once

#include <napi.h>

#include <new>

#include "addon/convert.h"

namespace cachalot::addon {

template <typename Call>
Napi::Value guarded(Napi::Env env, Call call) {
  try {
    return call();
  } catch (const Error& error) {
    throw to_js(env, error);
  } catch (const std::bad_alloc&) {
    throw to_js(env, Error(ErrorCode::kOutOfMemory, "there is no memory for this request"));
  }
}

}  // namespace cachalot::addon
