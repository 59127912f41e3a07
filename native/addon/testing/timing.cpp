// How long one op takes, for the benchmarks of kernels. Weights and KV are there several times, so
// that reads come from memory, as in a model; the best of several runs counts, because other
// processes can only make one longer.

#include "addon/testing/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace cachalot::addon {

namespace {

constexpr int kRuns = 7;
constexpr double kRunUs = 20'000;

double now_us() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

constexpr int kCallsPerStep = 32;  // of a device, whose steps cost some microseconds of their own

}  // namespace

Napi::Value time_calls(Napi::Env env, Backend& backend, const StepTables& tables,
                       const std::function<void(int)>& work) {
  const int per_step = backend.is_async() ? kCallsPerStep : 1;
  const auto step = [&] {
    backend.begin_step(tables);
    for (int i = 0; i < per_step; i++) work(i);
    backend.wait();
  };
  backend.begin_step(tables);
  int calls = 0;
  const auto plain = [&] { work(calls++); };
  const auto run = [&](int n) {
    for (int i = 0; i < n; i++) per_step == 1 ? plain() : step();
  };
  run(per_step == 1 ? 1 : 2);  // a device captures a step that it sees again
  const double first = now_us();
  run(1);
  const int per_run = std::max(1, static_cast<int>(kRunUs / std::max(1.0, now_us() - first)));
  double best = INFINITY;
  for (int i = 0; i < kRuns; i++) {
    const double start = now_us();
    run(per_run);
    best = std::min(best, (now_us() - start) / per_run / per_step);
  }
  return Napi::Number::New(env, best);
}

std::vector<float> waves(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; i++) values[i] = std::sin(static_cast<float>(i % 8191));
  return values;
}

void export_timing(Napi::Env env, Napi::Object exports) {
  export_timed_matrices(env, exports);
  export_timed_rows(env, exports);
  export_timed_contexts(env, exports);
  export_timed_edits(env, exports);
}

}  // namespace cachalot::addon
