#include "tests/failing_memory.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace cachalot::tests {

namespace {

std::atomic<bool> armed{false}, lasts{false};
std::atomic<int64_t> left{0};  // until one fails; less than 0: one has
thread_local bool may_fail = true;

bool fails() {
  if (!armed.load(std::memory_order_relaxed) || !may_fail) return false;
  const int64_t before = left.fetch_sub(1);
  return before == 1 || (before < 1 && lasts);
}

}  // namespace

FailingMemory::FailingMemory(int64_t n, bool for_ever) {
  left = n;
  lasts = for_ever;
  armed = true;
}
FailingMemory::~FailingMemory() { armed = false; }
bool FailingMemory::has_failed() const { return left < 1; }

MayFail::MayFail(bool may) : before_(may_fail) { may_fail = may; }
MayFail::~MayFail() { may_fail = before_; }

}  // namespace cachalot::tests

void* operator new(size_t size) {
  void* memory = cachalot::tests::fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// std::stable_sort asks in this way; it manages without.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return cachalot::tests::fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
