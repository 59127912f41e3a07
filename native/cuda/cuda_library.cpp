#include "cuda/cuda_library.h"

#include <filesystem>

#include "base/dynamic_library.h"
#include "base/error.h"

namespace cachalot::cuda {

namespace {

#if defined(_WIN32)
constexpr const char* kLibraryName = "cachalot_cuda.dll";
#else
constexpr const char* kLibraryName = "libcachalot_cuda.so";
#endif

const Library* open_library(const std::string& path) {
  const DynamicLibrary file(path);
  const auto open = reinterpret_cast<OpenLibrary>(file.symbol(kOpenLibraryName));
  if (open == nullptr) throw Error(ErrorCode::kIo, path + " is not a CUDA library of Cachalot");
  const Library* library = open();
  if (library->version != kAbiVersion) {
    throw Error(ErrorCode::kIo, path + " is of another version (" +
                                    std::to_string(library->version) + ", this addon needs " +
                                    std::to_string(kAbiVersion) + ")");
  }
  return library;
}

std::string capability_text(const DeviceInfo& info) {
  return std::string(info.name) + " has compute capability " + std::to_string(info.major) + "." +
         std::to_string(info.minor) + ", and 8.0 is the least that is supported";
}

}  // namespace

FoundDevices find_devices(const std::string& given) {
  FoundDevices found;
  try {
    const std::string path =
        given.empty() ? (std::filesystem::path(own_folder()) / kLibraryName).string() : given;
    if (!std::filesystem::exists(path)) {
      found.reason = "this build has no CUDA library (" + path +
                     " does not exist); in a clone with nvcc, `npm run build:cuda` makes it";
      return found;
    }
    const Library* library = open_library(path);
    char why[512] = "";
    const int32_t n = library->count_devices(why, sizeof why);
    found.reason = why;
    for (int32_t i = 0; i < n; i++) {
      DeviceInfo info{};
      if (const Status status = library->describe(i, &info)) {
        found.reason = library->last_error(status);
      } else if (info.major < kLeastCapability) {
        found.reason = capability_text(info);
      } else {
        found.devices.push_back(info);
      }
    }
    if (!found.devices.empty()) found.library = library;
  } catch (const std::exception& error) {
    found.reason = error.what();
  }
  return found;
}

}  // namespace cachalot::cuda
