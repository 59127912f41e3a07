#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <thread>

#include "base/compiler.h"
#include "base/pool_thread.h"

namespace cachalot {

namespace {

constexpr int kPausesBetweenLooks = 200;  // some microseconds, in which a clock that runs has moved

/** The processor time of a thread; see the man page of pthread_getcpuclockid for the formula. */
bool clock_of(pid_t thread, timespec* time) {
  constexpr unsigned kOfThread = 4, kRunning = 2;
  const auto clock =
      static_cast<clockid_t>((~static_cast<unsigned>(thread) << 3) | kOfThread | kRunning);
  return ::clock_gettime(clock, time) == 0;
}

cpu_set_t only(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<size_t>(core), &cores);
  return cores;
}

}  // namespace

struct PoolThread::Place {
  std::atomic<pid_t> thread{0};
  std::atomic<int> core{0};  // where it began
  cpu_set_t allowed;         // the cores of one that has been called
};

PoolThread::PoolThread() : place_(std::make_unique<Place>()) {}
PoolThread::~PoolThread() = default;

// A call of the system: a thread-local variable would need the dynamic linker by name.
void PoolThread::introduce() {
  place_->thread.store(static_cast<pid_t>(::syscall(SYS_gettid)), std::memory_order_relaxed);
}

void PoolThread::begin() {
  place_->core.store(::sched_getcpu(), std::memory_order_relaxed);
  state_.store(State::kAtWork, std::memory_order_release);
}

void PoolThread::end() {
  State state = State::kAtWork;
  while (!state_.compare_exchange_strong(state, State::kIdle)) {
    if (state == State::kCalled) {
      const cpu_set_t old = only(place_->core.load(std::memory_order_relaxed));
      ::sched_setaffinity(0, sizeof old, &old);
      ::sched_setaffinity(0, sizeof place_->allowed, &place_->allowed);
      return state_.store(State::kIdle, std::memory_order_release);
    }
    std::this_thread::yield();  // somebody is calling it, and perhaps in vain
    state = State::kAtWork;
  }
}

bool PoolThread::is_put_aside() const {
  if (state_.load(std::memory_order_acquire) != State::kAtWork) return false;
  const pid_t thread = place_->thread.load(std::memory_order_relaxed);
  timespec before, after;
  if (!clock_of(thread, &before)) return false;
  for (int i = 0; i < kPausesBetweenLooks; i++) spin_pause();
  return clock_of(thread, &after) && before.tv_sec == after.tv_sec &&
         before.tv_nsec == after.tv_nsec &&
         state_.load(std::memory_order_acquire) == State::kAtWork;
}

bool PoolThread::call_over() {
  State state = State::kAtWork;
  if (!state_.compare_exchange_strong(state, State::kBeingCalled)) return false;
  const pid_t thread = place_->thread.load(std::memory_order_relaxed);
  const int core = ::sched_getcpu();
  const cpu_set_t here = only(core);
  const bool is_called =
      ::sched_getaffinity(thread, sizeof place_->allowed, &place_->allowed) == 0 &&
      CPU_ISSET(static_cast<size_t>(core), &place_->allowed) &&
      ::sched_setaffinity(thread, sizeof here, &here) == 0;
  state_.store(is_called ? State::kCalled : State::kAtWork, std::memory_order_release);
  return is_called;
}

}  // namespace cachalot
