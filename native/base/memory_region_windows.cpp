// MemoryRegion over VirtualAlloc.

#include <windows.h>

#include <string>

#include "base/error.h"
#include "base/memory_region.h"

namespace cachalot {

namespace {

constexpr uintptr_t kPageBytes = 4096;

}  // namespace

MemoryRegion::MemoryRegion(size_t size) : size_(size) {
  if (size == 0) return;
  void* address = ::VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (address == nullptr) {
    throw Error(ErrorCode::kOutOfMemory,
                "cannot map " + std::to_string(size) +
                    " bytes of memory; close other programs or lower `kv.bytes`");
  }
  data_ = static_cast<uint8_t*>(address);
}

MemoryRegion::~MemoryRegion() {
  if (data_ != nullptr) ::VirtualFree(data_, 0, MEM_RELEASE);
}

void MemoryRegion::decommit(size_t offset, size_t size) const {
  const auto begin = reinterpret_cast<uintptr_t>(data_) + offset;
  const auto first = (begin + kPageBytes - 1) / kPageBytes * kPageBytes;
  const auto last = (begin + size) / kPageBytes * kPageBytes;
  if (last <= first) return;
  // The system may forget the pages. They stay committed, because committing again could fail.
  ::VirtualAlloc(reinterpret_cast<void*>(first), last - first, MEM_RESET, PAGE_READWRITE);
}

}  // namespace cachalot
