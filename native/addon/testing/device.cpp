#include "addon/testing/device.h"

#include "cpu/cpu_backend.h"
#include "cuda/cuda_backend.h"

namespace cachalot::addon {

std::unique_ptr<Backend> backend_of(const Napi::CallbackInfo& info) {
  const std::string path = info[0].ToString();
  constexpr std::string_view kCuda = "cuda:";
  if (path.starts_with(kCuda))
    return std::make_unique<cuda::CudaBackend>(path.substr(kCuda.size()), 0);
  return std::make_unique<cpu::CpuBackend>(path, integer_of(info[1]));
}

}  // namespace cachalot::addon
