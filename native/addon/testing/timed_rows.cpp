// Clocks of the ops that touch each value of some rows once or twice.

#include "addon/testing/timing.h"

namespace cachalot::addon {

namespace {

// timeSelectRows(path, threads, rows, width): microseconds
Napi::Value time_select_rows(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), width = integer_of(info[3]);
  const DeviceFloats x(backend, waves(static_cast<size_t>(n_rows * width))), out(backend, x.size());
  std::vector<int32_t> rows;
  for (int i = n_rows; i-- > 0;) rows.push_back(i);
  return time_calls(info.Env(), backend, {.output_rows = rows}, [&](int) {
    backend.select_rows({x.data(), width, out.data()});
  });
}

// timeCheckFinite(path, threads, rows, width): microseconds
Napi::Value time_check_finite(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), width = integer_of(info[3]);
  const DeviceFloats x(backend, waves(static_cast<size_t>(n_rows * width)));
  std::vector<uint8_t> out(static_cast<size_t>(n_rows));
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.check_finite({x.data(), x.data(), n_rows, width, out.data()});
  });
}

// timeRmsNorm(path, threads, rows, width): microseconds
Napi::Value time_rms_norm(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), width = integer_of(info[3]);
  const DeviceFloats x(backend, waves(static_cast<size_t>(n_rows * width))),
      delta(backend, x.size()), weight(backend, static_cast<size_t>(width)), out(backend, x.size());
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.rms_norm({x.data(), delta.data(), weight.data(), 1e-5f, n_rows, width, out.data()});
  });
}

// timeSiluMul(path, threads, rows, width): microseconds
Napi::Value time_silu_mul(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), width = integer_of(info[3]);
  const DeviceFloats gate(backend, waves(static_cast<size_t>(n_rows * width))),
      out(backend, gate.size());
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.silu_mul({gate.data(), gate.data(), n_rows, width, out.data()});
  });
}

// timeSample(path, threads, rows, vocabulary, temperature, topK): microseconds
Napi::Value time_sample(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), vocabulary = integer_of(info[3]);
  const DeviceFloats logits(backend, waves(static_cast<size_t>(n_rows * vocabulary)));
  SampleRow row;
  row.temperature = info[4].ToNumber().FloatValue();
  row.top_k = integer_of(info[5]);
  const std::vector<SampleRow> rows(static_cast<size_t>(n_rows), row);
  std::vector<SampledToken> out(rows.size());
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.sample({logits.data(), vocabulary, rows, {}, {}, out.data(), nullptr});
  });
}

}  // namespace

void export_timed_rows(Napi::Env env, Napi::Object exports) {
  exports.Set("timeSelectRows", Napi::Function::New(env, time_select_rows));
  exports.Set("timeCheckFinite", Napi::Function::New(env, time_check_finite));
  exports.Set("timeRmsNorm", Napi::Function::New(env, time_rms_norm));
  exports.Set("timeSiluMul", Napi::Function::New(env, time_silu_mul));
  exports.Set("timeSample", Napi::Function::New(env, time_sample));
}

}  // namespace cachalot::addon
