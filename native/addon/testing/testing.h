// Native parts as jest calls them: an addon of its own, built into build/test/ and never published.
// test/testing/ declares the same functions.
#pragma once

#include <napi.h>

#include <vector>

#include "addon/convert.h"

namespace cachalot::addon {

void export_ops(Napi::Env env, Napi::Object exports);
void export_attention(Napi::Env env, Napi::Object exports);
void export_plan(Napi::Env env, Napi::Object exports);
void export_kv_blocks(Napi::Env env, Napi::Object exports);
void export_kv_cache(Napi::Env env, Napi::Object exports);
void export_emulator(Napi::Env env, Napi::Object exports);
void export_timing(Napi::Env env, Napi::Object exports);
void export_allocations(Napi::Env env, Napi::Object exports);
void export_step_turns(Napi::Env env, Napi::Object exports);
void export_grammar(Napi::Env env, Napi::Object exports);

inline std::vector<float> floats_of(const Napi::Value& value) {
  const auto array = value.As<Napi::Float32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

/** Of an Int32Array, or of an array of numbers. */
inline std::vector<int32_t> integers_of(const Napi::Value& value) {
  if (value.IsArray()) {
    std::vector<int32_t> integers;
    const auto list = value.As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); i++)
      integers.push_back(list.Get(i).ToNumber().Int32Value());
    return integers;
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

inline Napi::Float32Array floats_to(Napi::Env env, const std::vector<float>& values) {
  auto array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

inline int integer_of(const Napi::Value& value) { return value.ToNumber().Int32Value(); }

}  // namespace cachalot::addon
