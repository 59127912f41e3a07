// The switches that tests have for the emulated device, beside the table of abi.h.
#pragma once

#include <cstdint>

#define EMULATOR_EXPORT __attribute__((visibility("default")))

/** The fault of planted.cu's kernel. */
enum PlantedFault { kPlantedNone, kPlantedRace, kPlantedConflict, kPlantedDivergence };

extern "C" {
EMULATOR_EXPORT void emulator_set_order(int order, int copies, uint64_t seed, int os_threads);
/** All calls of CUDA's runtime fail after this number of them; -1 mends the device. */
EMULATOR_EXPORT void emulator_fail_after(int calls);
EMULATOR_EXPORT void emulator_set_memory(uint64_t bytes);
EMULATOR_EXPORT uint64_t emulator_used_bytes();
EMULATOR_EXPORT uint64_t emulator_graph_launches();
EMULATOR_EXPORT uint64_t emulator_uploaded_bytes();
/** Only with the checker: launches are checked from now on; the report has a line per finding. */
EMULATOR_EXPORT void emulator_start_check();
EMULATOR_EXPORT const char* emulator_report();
/** "right", "wrong", or the reason why the emulator stopped the kernel. */
EMULATOR_EXPORT const char* emulator_run_planted(int fault);
}
