// The addon's exports; `interface NativeBinding` in lib/native.ts is the same list.

#include <napi.h>

#include "addon/addon_data.h"
#include "addon/engine_wrap.h"
#include "addon/promise_work.h"
#include "cpu/cpu_backend.h"

namespace cachalot::addon {

namespace {

/** readGguf(path): Promise<{version, metadata, tensors}> */
Napi::Value read_gguf(const Napi::CallbackInfo& info) {
  const std::string path = info[0].ToString();
  using File = std::shared_ptr<GgufFile>;
  return PromiseWork<File>::run(
      info.Env(), [path] { return std::make_shared<GgufFile>(cachalot::read_gguf(path)); },
      [](Napi::Env env, const File& file) { return to_js(env, *file); });
}

/** instructions(): the CPU paths that this machine can run, best first */
Napi::Value instructions(const Napi::CallbackInfo& info) {
  const auto names = cpu::available_instructions();
  auto array = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); i++) array.Set(i, names[i]);
  return array;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto data = std::make_unique<AddonData>();
  data->engine_class = Napi::Persistent(EngineWrap::define(env));
  env.SetInstanceData(data.release());  // owned and deleted by the environment
  exports.Set("load", Napi::Function::New(env, EngineWrap::load, "load"));
  exports.Set("readGguf", Napi::Function::New(env, read_gguf, "readGguf"));
  exports.Set("instructions", Napi::Function::New(env, instructions, "instructions"));
  return exports;
}

NODE_API_MODULE(cachalot, init)

}  // namespace

}  // namespace cachalot::addon
