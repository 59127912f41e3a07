// The CUDA library, which lies beside the addon where it was built, and the devices it finds.
#pragma once

#include <string>
#include <vector>

#include "cuda/abi.h"

namespace cachalot::cuda {

struct FoundDevices {
  const Library* library = nullptr;  // null if there is none that we can use
  std::vector<DeviceInfo> devices;   // that can run our kernels
  std::string reason;                // why there are no devices, in one line
};

constexpr int kLeastCapability = 8;

/** `path`: of the library; empty for the one beside the addon. Never throws. */
FoundDevices find_devices(const std::string& path);

}  // namespace cachalot::cuda
