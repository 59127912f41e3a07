#include "base/core_share.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/cores.h"

namespace cachalot {

namespace {

constexpr int kSlots = 64;
constexpr int64_t kFree = 0, kIdle = 1, kNow = std::numeric_limits<int64_t>::max();
constexpr int64_t kRecently = 2'000'000;  // ns; a pool that paused for longer is not at work

/** The time until each pool was at work, in ns; kNow: it is at work now. */
std::atomic<int64_t> at_work_until[kSlots];  // all kFree
std::atomic<int> n_pools{0};

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/** Pools that are at work, or were a moment ago. */
int count_active() {
  const int64_t since = now() - kRecently;
  return static_cast<int>(std::count_if(
      std::begin(at_work_until), std::end(at_work_until),
      [&](const auto& slot) { return slot.load(std::memory_order_relaxed) >= since; }));
}

}  // namespace

CoreShare::CoreShare() : slot_(-1) {
  n_pools++;
  for (int slot = 0; slot < kSlots && slot_ < 0; slot++) {
    int64_t free = kFree;
    if (at_work_until[slot].compare_exchange_strong(free, kIdle)) slot_ = slot;
  }
}

CoreShare::~CoreShare() {
  if (slot_ >= 0) at_work_until[slot_] = kFree;
  n_pools--;
}

int CoreShare::begin(int wanted) {
  if (slot_ >= 0) at_work_until[slot_].store(kNow, std::memory_order_relaxed);
  if (n_pools.load(std::memory_order_relaxed) <= 1) return wanted;
  static const int cores = usable_cores();
  // A user who asks for more threads than cores also wants more than the pool's share.
  const int all = std::max(cores, wanted);
  return std::clamp(all / std::max(1, count_active()), 1, wanted);
}

void CoreShare::end() {
  if (slot_ < 0) return;
  const bool alone = n_pools.load(std::memory_order_relaxed) <= 1;
  at_work_until[slot_].store(alone ? kIdle : now(), std::memory_order_relaxed);
}

}  // namespace cachalot
