// The addon's data per JavaScript environment: the main thread and each worker have their own.
#pragma once

#include <napi.h>

namespace cachalot::addon {

struct AddonData {
  Napi::FunctionReference engine_class;
};

inline AddonData& addon_data(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

}  // namespace cachalot::addon
