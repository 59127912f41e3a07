#include <windows.h>

#include "base/dynamic_library.h"
#include "base/error.h"

namespace cachalot {

DynamicLibrary::DynamicLibrary(const std::string& path) : handle_(LoadLibraryA(path.c_str())) {
  if (handle_ == nullptr) {
    throw Error(ErrorCode::kIo,
                path + " cannot be loaded (error " + std::to_string(GetLastError()) + ")");
  }
}

void* DynamicLibrary::symbol(const char* name) const {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name));
}

std::string own_folder() {
  HMODULE self = nullptr;
  GetModuleHandleExA(
      GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
      reinterpret_cast<LPCSTR>(&own_folder), &self);
  char path[MAX_PATH] = {};
  GetModuleFileNameA(self, path, MAX_PATH);
  const std::string whole = path;
  const size_t slash = whole.find_last_of("\\/");
  return slash == std::string::npos ? "." : whole.substr(0, slash);
}

}  // namespace cachalot
