// A trace in the simulated scheduler, for the addon and for the one of tests.
#pragma once

#include <napi.h>

namespace cachalot::addon {

/** simulate(trace, options, costs): Promise<Simulated>; lib/records/simulation-records.ts */
Napi::Value simulate_trace(const Napi::CallbackInfo& info);

}  // namespace cachalot::addon
