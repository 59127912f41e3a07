// The switches of an emulated GPU, for tests; see cuda/emu/control.h.

#include "addon/testing/testing.h"
#include "base/dynamic_library.h"

namespace cachalot::addon {

namespace {

template <typename Function>
Function* find(const Napi::CallbackInfo& info, const char* name) {
  const DynamicLibrary library(info[0].ToString().Utf8Value());
  return reinterpret_cast<Function*>(library.symbol(name));
}

// emulatorOrder(library, order, copies, seed, OS threads): see simt::Options
Napi::Value order(const Napi::CallbackInfo& info) {
  find<void(int, int, uint64_t, int)>(info, "emulator_set_order")(
      integer_of(info[1]), integer_of(info[2]), static_cast<uint64_t>(integer_of(info[3])),
      integer_of(info[4]));
  return info.Env().Undefined();
}

// emulatorFailAfter(library, calls): -1 mends the device
Napi::Value fail_after(const Napi::CallbackInfo& info) {
  find<void(int)>(info, "emulator_fail_after")(integer_of(info[1]));
  return info.Env().Undefined();
}

// emulatorMemory(library, bytes)
Napi::Value set_memory(const Napi::CallbackInfo& info) {
  const double bytes = info[1].ToNumber().DoubleValue();
  find<void(uint64_t)>(info, "emulator_set_memory")(static_cast<uint64_t>(bytes));
  return info.Env().Undefined();
}

// emulatorCounts(library): { usedBytes, graphLaunches, uploadedBytes }
Napi::Value counts(const Napi::CallbackInfo& info) {
  auto object = Napi::Object::New(info.Env());
  object.Set("usedBytes", static_cast<double>(find<uint64_t()>(info, "emulator_used_bytes")()));
  object.Set("graphLaunches",
             static_cast<double>(find<uint64_t()>(info, "emulator_graph_launches")()));
  object.Set("uploadedBytes",
             static_cast<double>(find<uint64_t()>(info, "emulator_uploaded_bytes")()));
  return object;
}

// emulatorCheck(library): from here on launches are checked, if the library can
Napi::Value check(const Napi::CallbackInfo& info) {
  find<void()>(info, "emulator_start_check")();
  return info.Env().Undefined();
}

// emulatorReport(library): the faults and counts that were found, line by line
Napi::Value report(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), find<const char*()>(info, "emulator_report")());
}

// emulatorPlanted(library, fault): the result of a kernel with a known fault
Napi::Value planted(const Napi::CallbackInfo& info) {
  const auto* said = find<const char*(int)>(info, "emulator_run_planted")(integer_of(info[1]));
  return Napi::String::New(info.Env(), said);
}

}  // namespace

void export_emulator(Napi::Env env, Napi::Object exports) {
  exports.Set("emulatorOrder", Napi::Function::New(env, order));
  exports.Set("emulatorFailAfter", Napi::Function::New(env, fail_after));
  exports.Set("emulatorMemory", Napi::Function::New(env, set_memory));
  exports.Set("emulatorCounts", Napi::Function::New(env, counts));
  exports.Set("emulatorCheck", Napi::Function::New(env, check));
  exports.Set("emulatorPlanted", Napi::Function::New(env, planted));
  exports.Set("emulatorReport", Napi::Function::New(env, report));
}

}  // namespace cachalot::addon
