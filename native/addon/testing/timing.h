// How the ops' clocks are made; see timing.cpp.
#pragma once

#include <functional>
#include <vector>

#include "addon/testing/device.h"

namespace cachalot::addon {

constexpr int64_t kBeyondCaches = 256 << 20;  // bytes that no cache holds

/** Microseconds of one call; `work(i)` is to take another copy of its data for each i. A device
 * gets the calls of a run as steps, with these tables. */
Napi::Value time_calls(Napi::Env env, Backend& backend, const StepTables& tables,
                       const std::function<void(int)>& work);

/** Numbers between -1 and 1. */
std::vector<float> waves(size_t n);

void export_timed_matrices(Napi::Env env, Napi::Object exports);
void export_timed_rows(Napi::Env env, Napi::Object exports);
void export_timed_contexts(Napi::Env env, Napi::Object exports);
void export_timed_edits(Napi::Env env, Napi::Object exports);

}  // namespace cachalot::addon
