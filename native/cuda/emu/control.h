// What tests turn on the emulated device, beside the table of abi.h.
#pragma once

#include <cstdint>

#define EMULATOR_EXPORT __attribute__((visibility("default")))

/** What planted.cu gets wrong. */
enum PlantedFault { kPlantedNone, kPlantedRace, kPlantedConflict, kPlantedDivergence };

extern "C" {
EMULATOR_EXPORT void emulator_set_order(int order, int copies, uint64_t seed, int os_threads);
/** The call of CUDA's runtime after which all fail; -1 mends the device. */
EMULATOR_EXPORT void emulator_fail_after(int calls);
EMULATOR_EXPORT void emulator_set_memory(uint64_t bytes);
EMULATOR_EXPORT uint64_t emulator_used_bytes();
EMULATOR_EXPORT uint64_t emulator_graph_launches();
/** Only with the checker: from here on launches are checked; then what was found, as lines of text.
 */
EMULATOR_EXPORT void emulator_start_check();
EMULATOR_EXPORT const char* emulator_report();
/** "right", "wrong", or what the emulator stopped it for. */
EMULATOR_EXPORT const char* emulator_run_planted(int fault);
}
