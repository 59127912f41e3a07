// JavaScript values <-> C++ structs: the only place that knows the names of JavaScript fields.
// lib/native.ts declares the same shapes.
#pragma once

#include <napi.h>

#include "base/error.h"
#include "cpu/machine_peaks.h"
#include "cuda/cuda_library.h"
#include "engine/engine.h"
#include "weights/gguf.h"

namespace cachalot::addon {

/** These throw invalid_argument for a value of another type, or outside the range of its type. */
SamplingOptions sampling_from(const Napi::Value& value);
Request request_from(const Napi::Value& value);
EngineOptions engine_options_from(const Napi::Value& value);
WantedMetadata wanted_metadata_from(const Napi::Value& value);

Napi::Object to_js(Napi::Env env, const StepEvents& events);
Napi::Array to_js(Napi::Env env, const std::list<StartEvent>& started);
Napi::Object to_js(Napi::Env env, const DeviceDescription& device);
Napi::Object to_js(Napi::Env env, const EngineStats& stats);
Napi::Array to_js(Napi::Env env, const std::vector<StepReport>& steps);
Napi::Array to_js(Napi::Env env, const std::vector<EditReport>& edits);
Napi::Object to_js(Napi::Env env, const StoredTensor& tensor);
Napi::Object to_js(Napi::Env env, const GgufFile& file);
Napi::Object to_js(Napi::Env env, const ModelFiles& model);
Napi::Object to_js(Napi::Env env, const cpu::MachinePeaks& peaks);
Napi::Object to_js(Napi::Env env, const cuda::FoundDevices& found);

/** A JavaScript Error with our code as `code`. */
Napi::Error to_js(Napi::Env env, const Error& error);

}  // namespace cachalot::addon
