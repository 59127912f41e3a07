// Kernels with known faults, so that tests see the emulator and its checker find them.

#include <string>

#include "cuda/device/simt.h"
#include "cuda/emu/control.h"

namespace {

constexpr int kThreads = 64;

/** Reverses what each thread left in shared memory, with a fault of choice. */
__global__ void planted_kernel(int fault, int* out) {
  using Numbers = int[32 * kThreads];
  SIMT_SHARED(Numbers, numbers);
  const int i = threadIdx.x;
  const int stride = fault == kPlantedConflict ? 32 : 1;
  numbers[i * stride] = i;
  if (fault == kPlantedDivergence ? i < 32 : fault != kPlantedRace) __syncthreads();
  out[i] = numbers[(kThreads - 1 - i) * stride];
}

std::string said;

}  // namespace

const char* emulator_run_planted(int fault) {
  alignas(128) int out[kThreads] = {};
  try {
    simt::launch_impl(dim3(1), dim3(kThreads), 0, [&] { planted_kernel(fault, out); });
    said = out[0] == kThreads - 1 ? "right" : "wrong";
  } catch (const std::exception& error) {
    said = error.what();
  }
  return said.c_str();
}
