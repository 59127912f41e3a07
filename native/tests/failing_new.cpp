// A library to be loaded before all others (LD_PRELOAD): the n-th allocation that the addon makes,
// of the heap, of mapped memory or of a thread, fails. Other code in the process (node, V8) never
// sees a failure: the first caller that is not the standard library decides.

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

/** Where a library's code is. */
struct Range {
  uintptr_t begin = 0, end = 0;
  bool has(uintptr_t address) const { return address >= begin && address < end; }
};
Range addon, standard_library, own;

std::atomic<bool> armed{false}, lasts{false};
std::atomic<int64_t> counted{0}, failing{0};

int find_ranges(dl_phdr_info* info, size_t, void*) {
  const auto ends_with = [&](const char* end) {
    const size_t n = std::strlen(info->dlpi_name), m = std::strlen(end);
    return n >= m && std::strcmp(info->dlpi_name + n - m, end) == 0;
  };
  Range* range = ends_with("/cachalot.node")            ? &addon
                 : ends_with("/libstdc++.so.6")         ? &standard_library
                 : ends_with("cachalot_failing_new.so") ? &own
                                                        : nullptr;
  if (range == nullptr) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    range->begin = info->dlpi_addr + segment.p_vaddr;
    range->end = range->begin + segment.p_memsz;
  }
  return 0;
}

/** Stops at the first frame that is neither ours nor the standard library's. */
_Unwind_Reason_Code look_at_frame(_Unwind_Context* context, void* is_addon) {
  const uintptr_t address = _Unwind_GetIP(context);
  if (own.has(address) || standard_library.has(address)) return _URC_NO_REASON;
  *static_cast<bool*>(is_addon) = addon.has(address);
  return _URC_END_OF_STACK;
}

bool fails() {
  if (!armed.load(std::memory_order_relaxed)) return false;
  bool is_addon = false;
  _Unwind_Backtrace(look_at_frame, &is_addon);
  if (!is_addon) return false;
  const int64_t n = ++counted;
  return n == failing || (n > failing && lasts);
}

}  // namespace

/** From now on the n-th allocation fails, alone or with all after it; 0: none does. Returns how
 * many there were since the last call. */
extern "C" __attribute__((visibility("default"))) int64_t cachalot_fail_allocation(int64_t n,
                                                                                   bool for_ever) {
  armed = false;
  dl_iterate_phdr(find_ranges, nullptr);
  failing = n;
  lasts = for_ever;
  const int64_t before = counted.exchange(0);
  armed = n > 0;
  return before;
}

__attribute__((visibility("default"))) void* operator new(size_t size) {
  void* memory = fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
__attribute__((visibility("default"))) void* operator new(size_t size, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  void* memory = fails() ? nullptr : std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

extern "C" __attribute__((visibility("default"))) void* mmap(void* address, size_t size, int access,
                                                             int flags, int file, off_t offset) {
  if (fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(::syscall(SYS_mmap, address, size, access, flags, file, offset));
}

extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create*>(::dlsym(RTLD_NEXT, "pthread_create"));
  return fails() ? EAGAIN : create(thread, attributes, body, argument);
}
