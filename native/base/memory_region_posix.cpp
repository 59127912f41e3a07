#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/memory_region.h"

namespace cachalot {

MemoryRegion::MemoryRegion(size_t size) : size_(size) {
  if (size == 0) return;
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    throw Error(ErrorCode::kOutOfMemory,
                "cannot map " + std::to_string(size) +
                    " bytes of memory; close other programs or lower `kv.bytes`");
  }
  data_ = static_cast<uint8_t*>(address);
#ifdef MADV_HUGEPAGE
  ::madvise(address, size, MADV_HUGEPAGE);  // fewer TLB misses; a refusal changes nothing
#endif
}

MemoryRegion::~MemoryRegion() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void MemoryRegion::decommit(size_t offset, size_t size) const {
  // Whole pages only, because the system rounds a length up, into the bytes that follow.
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(data_) + offset + page - 1) / page * page;
  const auto last = (reinterpret_cast<uintptr_t>(data_) + offset + size) / page * page;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace cachalot
