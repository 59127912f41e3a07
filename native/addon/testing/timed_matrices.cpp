// Clocks of the ops that read a weight.

#include "addon/testing/timing.h"

namespace cachalot::addon {

namespace {

// timeLinear(path, threads, weight, type, N, K, rows): microseconds
Napi::Value time_linear(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const auto bytes = info[2].As<Napi::Uint8Array>();
  Tensor tensor{bytes.Data(), static_cast<DType>(integer_of(info[3])), integer_of(info[4]),
                integer_of(info[5])};
  const int n_rows = integer_of(info[6]);
  const auto n_copies = static_cast<size_t>(kBeyondCaches / tensor.bytes() + 1);
  std::vector<std::vector<uint8_t>> copies;  // of weights that are read in place
  std::vector<std::unique_ptr<Weight>> weights;
  for (size_t i = 0; i < n_copies; i++) {
    copies.emplace_back(bytes.Data(), bytes.Data() + bytes.ElementLength());
    tensor.data = copies.back().data();
    weights.push_back(backend.prepare_weight(tensor, {}));
    // A device knows a weight by its source, so each needs one of its own.
    if (!backend.is_async() && !is_float(tensor.dtype)) copies.pop_back();
  }
  const DeviceFloats x(backend, waves(static_cast<size_t>(n_rows * tensor.n_cols)));
  const DeviceFloats y(backend, static_cast<size_t>(n_rows * tensor.n_rows));
  return time_calls(info.Env(), backend, {}, [&](int i) {
    const LinearOutput output{weights[static_cast<size_t>(i) % n_copies].get(), y.data(), nullptr};
    backend.linear({x.data(), n_rows, std::span(&output, 1)});
  });
}

// timeGatherRows(path, threads, weight, type, N, K, rows): microseconds
Napi::Value time_gather_rows(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const Tensor tensor{info[2].As<Napi::Uint8Array>().Data(),
                      static_cast<DType>(integer_of(info[3])), integer_of(info[4]),
                      integer_of(info[5])};
  const int n_rows = integer_of(info[6]);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n_rows; i++)  // far from each other, as tokens are
    ids.push_back(static_cast<int32_t>(i * 7919 % tensor.n_rows));
  const auto table = backend.prepare_table(tensor, nullptr);
  const DeviceFloats out(backend, static_cast<size_t>(n_rows * tensor.n_cols));
  return time_calls(info.Env(), backend, {.tokens = ids}, [&](int) {
    backend.gather_rows({table.get(), out.data()});
  });
}

}  // namespace

void export_timed_matrices(Napi::Env env, Napi::Object exports) {
  exports.Set("timeLinear", Napi::Function::New(env, time_linear));
  exports.Set("timeGatherRows", Napi::Function::New(env, time_gather_rows));
}

}  // namespace cachalot::addon
