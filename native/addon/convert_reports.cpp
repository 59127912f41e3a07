// The engine's reports about itself, for JavaScript.

#include "addon/convert.h"

namespace cachalot::addon {

namespace {

Napi::Object to_js(Napi::Env env, const GroupReport& group) {
  auto object = Napi::Object::New(env);
  object.Set("depth", group.depth);
  object.Set("sequences", group.sequences);
  object.Set("rows", group.rows);
  object.Set("firstToken", group.first_token);
  object.Set("tokens", group.n_tokens);
  object.Set("grouped", group.grouped);
  object.Set("groupedUs", group.grouped_us);
  object.Set("separateUs", group.separate_us);
  object.Set("bytesNotRead", static_cast<double>(group.bytes_not_read));
  return object;
}

}  // namespace

Napi::Object to_js(Napi::Env env, const cuda::FoundDevices& found) {
  auto devices = Napi::Array::New(env, found.devices.size());
  for (uint32_t i = 0; i < found.devices.size(); i++) {
    const cuda::DeviceInfo& info = found.devices[i];
    auto device = Napi::Object::New(env);
    device.Set("name", info.name);
    device.Set("computeCapability", std::to_string(info.major) + "." + std::to_string(info.minor));
    device.Set("totalBytes", static_cast<double>(info.total_bytes));
    devices.Set(i, device);
  }
  auto object = Napi::Object::New(env);
  object.Set("devices", devices);
  object.Set("reason", found.reason);
  return object;
}

Napi::Array to_js(Napi::Env env, const std::list<StartEvent>& started) {
  auto array = Napi::Array::New(env, started.size());
  uint32_t i = 0;
  for (const StartEvent& start : started) {
    auto object = Napi::Object::New(env);
    object.Set("id", static_cast<double>(start.id));
    object.Set("cachedTokens", start.cached_tokens);
    object.Set("queuedMs", start.queued_ms);
    array.Set(i++, object);
  }
  return array;
}

Napi::Object to_js(Napi::Env env, const DeviceDescription& device) {
  auto object = Napi::Object::New(env);
  object.Set("kind", device.kind);
  object.Set("name", device.name);
  object.Set("instructions", device.instructions);
  object.Set("threads", device.threads);
  return object;
}

Napi::Object to_js(Napi::Env env, const EngineStats& stats) {
  auto object = Napi::Object::New(env);
  const auto set = [&](const char* key, auto value) {
    object.Set(key, static_cast<double>(value));
  };
  set("steps", stats.steps);
  set("rows", stats.rows);
  set("promptTokens", stats.prompt_tokens);
  set("cachedTokens", stats.cached_tokens);
  set("generatedTokens", stats.generated_tokens);
  set("draftedTokens", stats.drafted);
  set("acceptedTokens", stats.accepted);
  set("waiting", stats.waiting);
  set("running", stats.running);
  set("segments", stats.segments);
  set("kvBytesInUse", stats.kv_bytes_in_use);
  set("kvBytes", stats.kv_bytes);
  set("weightBytes", stats.weight_bytes);
  set("edits", stats.edits);
  set("kvBytesEdited", stats.kv_bytes_edited);
  set("kvBytesNotRead", stats.kv_bytes_not_read);
  set("hostMs", stats.host_us / 1000);
  set("stepMs", stats.step_us / 1000);
  set("outputs", stats.work.outputs);
  set("outputSteps", stats.work.output_steps);
  set("attendedKeys", stats.work.attended_keys);
  set("contextTokens", stats.work.context_tokens);
  return object;
}

Napi::Array to_js(Napi::Env env, const std::vector<StepReport>& steps) {
  auto array = Napi::Array::New(env, steps.size());
  for (uint32_t i = 0; i < steps.size(); i++) {
    const StepReport& step = steps[i];
    auto groups = Napi::Array::New(env, step.groups.size());
    for (uint32_t g = 0; g < step.groups.size(); g++) groups.Set(g, to_js(env, step.groups[g]));
    auto object = Napi::Object::New(env);
    object.Set("step", static_cast<double>(step.step));
    object.Set("sequences", step.sequences);
    object.Set("decoding", step.decoding);
    object.Set("rows", step.rows);
    object.Set("drafted", step.drafted);
    object.Set("hostUs", step.plan_us);
    object.Set("stepMs", step.step_ms);
    object.Set("groups", groups);
    array.Set(i, object);
  }
  return array;
}

Napi::Array to_js(Napi::Env env, const std::vector<EditReport>& edits) {
  auto array = Napi::Array::New(env, edits.size());
  for (uint32_t i = 0; i < edits.size(); i++) {
    const EditReport& edit = edits[i];
    auto layers = Napi::Array::New(env, edit.layers.size());
    for (uint32_t layer = 0; layer < edit.layers.size(); layer++)
      layers.Set(layer, edit.layers[layer]);
    auto object = Napi::Object::New(env);
    object.Set("policy", edit.recipe.policy);
    object.Set("tokens", edit.n_tokens);
    object.Set("kept", edit.kept);
    object.Set("bytes", static_cast<double>(edit.bytes));
    object.Set("ms", edit.ms);
    object.Set("layers", layers);
    array.Set(i, object);
  }
  return array;
}

}  // namespace cachalot::addon
