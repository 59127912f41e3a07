// JavaScript values <-> C++ structs: the only place that knows the names of JavaScript fields.
// lib/native.ts declares the same shapes and guarantees that what arrives here has the right types.
#pragma once

#include <napi.h>

#include "base/error.h"
#include "cpu/machine_peaks.h"
#include "cuda/cuda_library.h"
#include "engine/engine.h"
#include "weights/gguf.h"

namespace cachalot::addon {

SamplingOptions sampling_from(const Napi::Object& object);
Request request_from(const Napi::Object& object);
EngineOptions engine_options_from(const Napi::Object& object);
WantedMetadata wanted_metadata_from(const Napi::Object& object);

Napi::Object to_js(Napi::Env env, const StepEvents& events);
Napi::Object to_js(Napi::Env env, const EngineStats& stats);
Napi::Array to_js(Napi::Env env, const std::vector<StepReport>& steps);
Napi::Object to_js(Napi::Env env, const StoredTensor& tensor);
Napi::Object to_js(Napi::Env env, const GgufFile& file);
Napi::Object to_js(Napi::Env env, const ModelFiles& model);
Napi::Object to_js(Napi::Env env, const cpu::MachinePeaks& peaks);
Napi::Object to_js(Napi::Env env, const cuda::FoundDevices& found);

/** A JavaScript Error with our code as `code`. */
Napi::Error to_js(Napi::Env env, const Error& error);

}  // namespace cachalot::addon
