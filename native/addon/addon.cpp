// The addon's exports; `interface NativeBinding` in lib/native.ts is the same list.

#include <napi.h>

#include "addon/addon_data.h"
#include "addon/arguments.h"
#include "addon/engine_wrap.h"
#include "addon/grammars.h"
#include "addon/promise_work.h"
#include "addon/prompt_orderer.h"
#include "addon/simulate.h"
#include "backend/dtype.h"
#include "base/system_memory.h"
#include "cpu/cpu_backend.h"
#include "cpu/instructions.h"
#include "cpu/machine_peaks.h"
#include "cuda/cuda_library.h"
#include "weights/convert_tensor.h"
#include "weights/gguf_split.h"

namespace cachalot::addon {

namespace {

/** readGguf(path, {keys, longestList, alone} or undefined): Promise<{version, metadata, tensors}>
 */
Napi::Value read_gguf(const Napi::CallbackInfo& info) {
  const std::string path = string_from(info[0], "path");
  const bool is_alone = info[1].IsObject() && info[1].As<Napi::Object>().Get("alone").ToBoolean();
  const auto read = is_alone ? read_gguf_file : cachalot::read_gguf;
  const auto work = [path, read, wanted = wanted_metadata_from(info[1])] {
    return std::make_shared<GgufFile>(read(path, wanted));
  };
  using File = std::shared_ptr<GgufFile>;
  return PromiseWork<File>::run(info.Env(), work,
                                [](Napi::Env env, const File& file) { return to_js(env, *file); });
}

/** inspectModel(path): Promise<the configuration and the tensors of a model in any container> */
Napi::Value inspect_model(const Napi::CallbackInfo& info) {
  const std::string path = string_from(info[0], "path");
  using Model = std::shared_ptr<ModelFiles>;
  return PromiseWork<Model>::run(
      info.Env(), [path] { return std::make_shared<ModelFiles>(open_model(path)); },
      [](Napi::Env env, const Model& model) { return to_js(env, *model); });
}

/** convertTensor(path, name, GGUF type number): Promise<the tensor's bytes in that type> */
Napi::Value convert_tensor(const Napi::CallbackInfo& info) {
  const std::string path = string_from(info[0], "path"), name = string_from(info[1], "name");
  const auto type = integer_from<uint32_t>(info[2], "type");
  using Bytes = std::shared_ptr<std::vector<uint8_t>>;
  return PromiseWork<Bytes>::run(
      info.Env(),
      [=] {
        const DTypeInfo* to = find_dtype(type);
        if (to == nullptr) refuse("type", "a type of weights");
        const GgufFile file = read_gguf_file(path, {{}, 0});
        const auto tensor = std::ranges::find(file.tensors, name, &StoredTensor::name);
        if (tensor == file.tensors.end()) refuse("name", "a tensor of the file");
        return std::make_shared<std::vector<uint8_t>>(cachalot::convert_tensor(*tensor, to->dtype));
      },
      [](Napi::Env env, const Bytes& bytes) {
        return Napi::Buffer<uint8_t>::Copy(env, bytes->data(), bytes->size());
      });
}

/** instructions(): the CPU paths that this machine can run, best first */
Napi::Value instructions(const Napi::CallbackInfo& info) {
  const auto names = cpu::available_instructions();
  auto array = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); i++) array.Set(i, names[i]);
  return array;
}

/** cuda(library or ""): the GPUs that can be used, or why there are none */
Napi::Value cuda_devices(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), cuda::find_devices(string_from(info[0], "library")));
}

/** memoryLimit(): bytes that this process can have, of its machine and within its container */
Napi::Value memory_limit(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(system_memory().limit));
}

/** layoutName(): names the layout of packed weights */
Napi::Value layout_name(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), cpu::layout_name());
}

/** measurePeaks(instructions, threads, file or ""): Promise<MachinePeaks> */
Napi::Value measure_peaks(const Napi::CallbackInfo& info) {
  const std::string path = string_from(info[0], "instructions");
  const auto threads = integer_from<int32_t>(info[1], "threads");
  const std::string file = string_from(info[2], "file");
  return PromiseWork<cpu::MachinePeaks>::run(
      info.Env(), [path, threads, file] { return cpu::measure_peaks(path, threads, file); },
      [](Napi::Env env, const cpu::MachinePeaks& peaks) { return to_js(env, peaks); });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto data = std::make_unique<AddonData>();
  data->engine_class = Napi::Persistent(EngineWrap::define(env));
  env.SetInstanceData(data.release());  // owned and deleted by the environment
  exports.Set("load", Napi::Function::New(env, guard_promise<EngineWrap::load>, "load"));
  exports.Set("PromptOrderer", PromptOrderer::define(env));
  exports.Set("readGguf", Napi::Function::New(env, guard_promise<read_gguf>, "readGguf"));
  exports.Set("convertTensor",
              Napi::Function::New(env, guard_promise<convert_tensor>, "convertTensor"));
  exports.Set("inspectModel",
              Napi::Function::New(env, guard_promise<inspect_model>, "inspectModel"));
  exports.Set("makeVocabulary",
              Napi::Function::New(env, guard_promise<make_vocabulary>, "makeVocabulary"));
  exports.Set("compileRegex",
              Napi::Function::New(env, guard_promise<compile_regex>, "compileRegex"));
  exports.Set("compileGrammar",
              Napi::Function::New(env, guard_promise<compile_grammar>, "compileGrammar"));
  exports.Set("compileSchema",
              Napi::Function::New(env, guard_promise<compile_schema>, "compileSchema"));
  exports.Set("instructions", Napi::Function::New(env, guard<instructions>, "instructions"));
  exports.Set("cuda", Napi::Function::New(env, guard<cuda_devices>, "cuda"));
  exports.Set("memoryLimit", Napi::Function::New(env, guard<memory_limit>, "memoryLimit"));
  exports.Set("layoutName", Napi::Function::New(env, guard<layout_name>, "layoutName"));
  exports.Set("simulate", Napi::Function::New(env, guard_promise<simulate_trace>, "simulate"));
  exports.Set("measurePeaks",
              Napi::Function::New(env, guard_promise<measure_peaks>, "measurePeaks"));
  return exports;
}

NODE_API_MODULE(cachalot, init)

}  // namespace

}  // namespace cachalot::addon
