// Writes what is new in the list of slabs, which stays on the device from step to step. There is
// little of it: a sequence that decodes gets a slab every 32 tokens. One block of threads.

#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) update_slabs_kernel(UpdateSlabsArgs args) {
  const StepHeader& step = *args.step;
  const uint32_t* addresses = step.new_addresses;
  for (int64_t range = 0; range < step.n_new_slabs; range++) {
    const SlabRange entries = step.new_slabs[range];
    for (uint32_t i = threadIdx.x; i < entries.n; i += kThreads)
      step.slabs[entries.first + i] = addresses[i];
    addresses += entries.n;
  }
}

}  // namespace

void update_slabs(const LaunchContext& context, const UpdateSlabsArgs& args) {
  simt::launch(update_slabs_kernel, dim3(1), dim3(kThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
