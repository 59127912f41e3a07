#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "base/compiler.h"
#include "base/error.h"

namespace cachalot {

namespace {

using Clock = std::chrono::steady_clock;

// Longer than the serial parts between two regions of one forward pass, much shorter than the time
// slice that spinning would steal from a neighbour.
constexpr std::chrono::microseconds kSpin{50};
constexpr int kPausesPerLook = 32;  // spins between two looks at the clock

constexpr int64_t kRangesPerThread = 4;

/** Returns when `value` is no longer `old`. Calls `before_parking` if it is a while until then. */
template <typename T, typename Call>
void wait_while_equal(const std::atomic<T>& value, T old, const Call& before_parking) {
  const auto end = Clock::now() + kSpin;
  do {
    for (int pause = 0; pause < kPausesPerLook; pause++) {
      if (value.load(std::memory_order_acquire) != old) return;
      spin_pause();
    }
  } while (Clock::now() < end);
  before_parking();
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) : threads_(static_cast<size_t>(n_threads)) {
  try {
    for (int thread = 1; thread < n_threads; thread++) {
      workers_.emplace_back([this, thread] { work(thread); });
    }
  } catch (const std::exception& error) {
    stop();  // the threads that did start
    throw Error(ErrorCode::kOutOfMemory, "cannot start " + std::to_string(n_threads) +
                                             " threads (" + error.what() + "); lower `threads`");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_ = true;
  recall_.fetch_add(1, std::memory_order_release);
  recall_.notify_all();
  region_.fetch_add(1, std::memory_order_release);
  region_.notify_all();
  for (auto& worker : workers_) worker.join();
  workers_.clear();
}

bool ThreadPool::take_piece(int* piece) {
  int left = untaken_.load(std::memory_order_relaxed);
  do {
    if (left == 0) return false;
  } while (!untaken_.compare_exchange_weak(left, left - 1, std::memory_order_acquire,
                                           std::memory_order_relaxed));
  *piece = n_pieces_ - left;
  return true;
}

void ThreadPool::run_pieces(int thread) {
  PoolThread& own = threads_[static_cast<size_t>(thread)];
  own.begin();
  for (int piece; take_piece(&piece);) {
    try {
      (*body_)(piece, thread);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      failure_ = std::current_exception();
    }
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }
  own.end();
}

/** A region that is late may wait for a thread whose core is busy elsewhere. One that waits calls
 * one: a second would share the core with the first. */
void ThreadPool::call_over() {
  for (PoolThread& thread : threads_) {
    if (unfinished_.load(std::memory_order_acquire) == 0) return;
    if (thread.is_put_aside() && thread.call_over()) return;
  }
}

void ThreadPool::work(int thread) {
  threads_[static_cast<size_t>(thread)].introduce();
  unsigned seen = 0;
  for (;;) {
    const unsigned recalled = recall_.load(std::memory_order_acquire);
    wait_while_equal(region_, seen, [this] { call_over(); });
    seen = region_.load(std::memory_order_acquire);
    if (stopping_) return;
    if (thread <= n_helpers_.load(std::memory_order_relaxed)) run_pieces(thread);
    else if (thread >= n_allowed_.load(std::memory_order_relaxed))
      recall_.wait(recalled, std::memory_order_acquire);  // others have this core now
  }
}

void ThreadPool::parallel_for(int n_pieces, const std::function<void(int, int)>& body) {
  if (n_pieces == 0) return;
  const CoreShare::Turn turn(share_, size());
  if (workers_.empty() || n_pieces == 1) {
    for (int piece = 0; piece < n_pieces; piece++) body(piece, 0);
    return;
  }
  const int n_helpers = std::min(n_pieces, turn.n_threads()) - 1;
  if (n_allowed_.exchange(turn.n_threads(), std::memory_order_relaxed) < turn.n_threads()) {
    recall_.fetch_add(1, std::memory_order_release);
    recall_.notify_all();
  }
  threads_[0].introduce();  // callers differ
  body_ = &body;
  n_pieces_ = n_pieces;
  n_helpers_.store(n_helpers, std::memory_order_relaxed);
  unfinished_.store(n_pieces, std::memory_order_relaxed);
  untaken_.store(n_pieces, std::memory_order_release);
  if (n_helpers > 0) {
    region_.fetch_add(1, std::memory_order_release);
    region_.notify_all();
  }
  run_pieces(0);
  for (int left = unfinished_.load(std::memory_order_acquire); left != 0;
       left = unfinished_.load(std::memory_order_acquire)) {
    wait_while_equal(unfinished_, left, [this] { call_over(); });
  }
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ThreadPool::parallel_ranges(int64_t n, int64_t smallest,
                                 const std::function<void(int64_t, int64_t, int)>& body) {
  const int64_t most = kRangesPerThread * size();
  const int64_t n_ranges = std::clamp<int64_t>(n / smallest, 1, most);
  parallel_for(static_cast<int>(n == 0 ? 0 : n_ranges), [&](int range, int thread) {
    body(n * range / n_ranges, n * (range + 1) / n_ranges, thread);
  });
}

}  // namespace cachalot
