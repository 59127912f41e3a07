// Makes allocations of the addon fail, in a process that was started with the library of
// native/tests/failing_new.cpp.

#ifdef __linux__
#include <dlfcn.h>
#endif

#include "addon/testing/testing.h"

namespace cachalot::addon {

namespace {

// failAllocation(n, for ever): the n-th from now on fails, or it and all after it; 0: none does.
// Returns how many there were since the last call.
Napi::Value fail_allocation(const Napi::CallbackInfo& info) {
#ifdef __linux__
  using Fail = int64_t(int64_t, bool);
  void* found = ::dlsym(RTLD_DEFAULT, "cachalot_fail_allocation");
  if (found == nullptr) throw Napi::Error::New(info.Env(), "start it with LD_PRELOAD");
  const auto fail = reinterpret_cast<Fail*>(found);
  return Napi::Number::New(info.Env(),
                           static_cast<double>(fail(integer_of(info[0]), info[1].ToBoolean())));
#else
  throw Napi::Error::New(info.Env(), "on Linux only");
#endif
}

}  // namespace

void export_allocations(Napi::Env env, Napi::Object exports) {
  exports.Set("failAllocation", Napi::Function::New(env, fail_allocation));
}

}  // namespace cachalot::addon
