// Engines for benchmarks, whose decoding steps take turns; see turn_taking_backend.h.

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "addon/addon_data.h"
#include "addon/engine_wrap.h"
#include "addon/testing/testing.h"
#include "addon/testing/turn_taking_backend.h"
#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"
#include "engine/build.h"

namespace cachalot::addon {

namespace {

constexpr const char* kTurnNames[] = {"chosen", "apart", "no attention"};

/** The JavaScript class: new StepTurns(), which loads one engine. */
class StepTurnsWrap final : public Napi::ObjectWrap<StepTurnsWrap> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "StepTurns",
        {InstanceMethod<&StepTurnsWrap::load>("load"), InstanceMethod<&StepTurnsWrap::take>("take"),
         InstanceMethod<&StepTurnsWrap::steps>("steps")});
  }
  explicit StepTurnsWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {}

 private:
  /** load(path, options, onEvents): like the addon's, on the CPU unless a GPU is named. */
  Napi::Value load(const Napi::CallbackInfo& info) {
    return promised(info.Env(), [&] {
      return EngineWrap::load_with(info, [turns = turns_](const std::string& path,
                                                          const EngineOptions& options,
                                                          std::function<void(StepEvents)> sink) {
        ModelFiles files = open_model(path);
        std::unique_ptr<Backend> device;
        if (options.device.starts_with("cuda"))
          device = std::make_unique<cuda::CudaBackend>(options.cuda_library, 0);
        else device = std::make_unique<cpu::CpuBackend>(options.instructions, options.threads);
        auto backend = std::make_unique<TurnTakingBackend>(std::move(device), files.config, turns);
        return assemble_engine(std::move(files), std::move(backend), options, std::move(sink));
      });
    });
  }

  /** take(["chosen", "apart", "no attention"]) */
  Napi::Value take(const Napi::CallbackInfo& info) {
    const auto names = info[0].As<Napi::Array>();
    std::vector<Turn> turns;
    for (uint32_t i = 0; i < names.Length(); i++) {
      const std::string name = names.Get(i).ToString();
      const auto* found = std::find(std::begin(kTurnNames), std::end(kTurnNames), name);
      turns.push_back(static_cast<Turn>(found - std::begin(kTurnNames)));
    }
    turns_->take(std::move(turns));
    return info.Env().Undefined();
  }

  /** steps(): { turn, rows, isGrouped, ms }[], those since the last call */
  Napi::Value steps(const Napi::CallbackInfo& info) {
    const auto steps = turns_->steps();
    auto array = Napi::Array::New(info.Env(), steps.size());
    for (uint32_t i = 0; i < steps.size(); i++) {
      auto object = Napi::Object::New(info.Env());
      object.Set("turn", kTurnNames[static_cast<size_t>(steps[i].turn)]);
      object.Set("rows", steps[i].rows);
      object.Set("isGrouped", steps[i].is_grouped);
      object.Set("ms", steps[i].ms);
      array.Set(i, object);
    }
    return array;
  }

  std::shared_ptr<StepTurns> turns_ = std::make_shared<StepTurns>();
};

}  // namespace

void export_step_turns(Napi::Env env, Napi::Object exports) {
  // Engines are made as the addon's are, and it keeps their class for the environment.
  auto data = std::make_unique<AddonData>();
  data->engine_class = Napi::Persistent(EngineWrap::define(env));
  env.SetInstanceData(data.release());
  exports.Set("StepTurns", StepTurnsWrap::define(env));
}

}  // namespace cachalot::addon
