// What tests turn on the emulated device, beside the table of abi.h.
#pragma once

#include <cstdint>

extern "C" {
__attribute__((visibility("default"))) void emulator_set_order(int order, int copies, uint64_t seed, int os_threads);
/** The call of CUDA's runtime after which all fail; -1 mends the device. */
__attribute__((visibility("default"))) void emulator_fail_after(int calls);
__attribute__((visibility("default"))) void emulator_set_memory(uint64_t bytes);
__attribute__((visibility("default"))) uint64_t emulator_used_bytes();
__attribute__((visibility("default"))) uint64_t emulator_graph_launches();
/** Only with the checker: from here on launches are checked; then what was found, as lines of text. */
__attribute__((visibility("default"))) void emulator_start_check();
__attribute__((visibility("default"))) const char* emulator_report();
}
