#include "addon/simulate.h"

#include <algorithm>

#include "addon/fields.h"
#include "addon/promise_work.h"
#include "cpu/cpu_backend.h"
#include "engine/simulation.h"

namespace cachalot::addon {

namespace {

/** Prompts as a trace gives them: hashes of blocks. Each hash stands for a block of tokens. */
SimulatedTrace trace_from(const Napi::Value& value) {
  const Fields fields(value, "trace");
  SimulatedTrace trace;
  const auto lengths = fields.array("lengths"), hashes = fields.array("hashes"),
             ends = fields.array("hashEnds");
  const auto block = fields.integer("blockTokens");
  if (lengths.size() != ends.size() || block < 1 || block > 1 << 16)
    refuse("hashEnds", "one for each length, and blocks of 1 to 65536 tokens");
  size_t hash = 0;
  for (size_t i = 0; i < lengths.size(); i++) {
    if (ends[i] < 0 || static_cast<size_t>(ends[i]) > hashes.size()) refuse("hashEnds", "indices");
    std::vector<int32_t> tokens;
    for (; hash < static_cast<size_t>(ends[i]); hash++) {
      if (hashes[hash] < 0 || hashes[hash] >= INT32_MAX / block - 1)
        refuse("hashes", "numbers below 2^31 / blockTokens");
      for (int t = 0; t < block && static_cast<int>(tokens.size()) < lengths[i]; t++)
        tokens.push_back(hashes[hash] * block + t);
    }
    trace.prompts.push_back(std::move(tokens));
  }
  trace.outputs = fields.array("outputs");
  if (!fields.get("arrivals").IsUndefined()) {
    for (const int32_t time : fields.array("arrivals")) trace.arrivals.push_back(time / 1000.0);
  }
  return trace;
}

SimulatedCosts costs_from(const Napi::Value& value) {
  const Fields fields(value, "costs");
  const auto number = [&](const char* key) { return number_from(fields.get(key), key); };
  return {number("weightBytes"),      number("kvBytesPerToken"), number("operationsPerRow"),
          number("operationsPerKey"), number("bytesPerSecond"),  number("operationsPerSecond")};
}

SimulationOptions options_from(const Napi::Value& value) {
  const Fields fields(value, "options");
  return {fields.string("schedule") == "prefix-grouped", fields.is("reuse"),
          fields.integer("kvTokens") / kTileTokens, fields.integer("stepRows")};
}

Napi::Value list_of(Napi::Env env, const std::vector<double>& values) {
  auto list = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), list.Data());
  return list;
}

Napi::Value to_js(Napi::Env env, const Simulated& simulated) {
  auto result = Napi::Object::New(env);
  const auto set = [&](const char* key, auto value) {
    result.Set(key, static_cast<double>(value));
  };
  auto ends = Napi::Array::New(env, simulated.ends.size());
  for (uint32_t i = 0; i < simulated.ends.size(); i++)
    ends.Set(i, static_cast<double>(simulated.ends[i]));
  result.Set("ends", ends);
  result.Set("firstToken", list_of(env, simulated.first_token));
  result.Set("ended", list_of(env, simulated.ended));
  set("seconds", simulated.seconds);
  set("promptRows", simulated.prompt_rows);
  set("rows", simulated.rows);
  set("steps", simulated.steps);
  set("distinctTokens", simulated.distinct_tokens);
  set("peakTokens", int64_t{simulated.peak_slabs} * kTileTokens);
  set("failed", simulated.failed);
  const auto n_steps = static_cast<double>(std::max<int64_t>(1, simulated.steps));
  set("hostUs", simulated.host_us / n_steps);
  return result;
}

}  // namespace

Napi::Value simulate_trace(const Napi::CallbackInfo& info) {
  using Trace = std::shared_ptr<SimulatedTrace>;
  const Trace trace = std::make_shared<SimulatedTrace>(trace_from(info[0]));
  const SimulationOptions options = options_from(info[1]);
  const SimulatedCosts costs = costs_from(info[2]);
  using Result = std::shared_ptr<Simulated>;
  return PromiseWork<Result>::run(
      info.Env(),
      [=] {
        cpu::CpuBackend backend("portable", 1);
        return std::make_shared<Simulated>(simulate(std::move(*trace), options, costs, backend));
      },
      [](Napi::Env env, const Result& result) { return to_js(env, *result); });
}

}  // namespace cachalot::addon
