#include "base/thread_pool.h"

#include <string>
#include <utility>

#include "base/compiler.h"
#include "base/error.h"

namespace cachalot {

namespace {

// Tens of microseconds: longer than the serial parts between two regions of one forward pass, much
// shorter than the time slice that spinning would steal from a neighbour.
constexpr int kSpins = 4000;

template <typename T>
void wait_while_equal(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; spin++) {
    if (value.load(std::memory_order_acquire) != old) return;
    spin_pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int n_threads) {
  try {
    for (int thread = 1; thread < n_threads; thread++) {
      workers_.emplace_back([this, thread] { work(thread); });
    }
  } catch (const std::exception& error) {
    stop();  // those that did start
    throw Error(ErrorCode::kOutOfMemory, "cannot start " + std::to_string(n_threads) +
                                             " threads (" + error.what() + "); lower `threads`");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_ = true;
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (auto& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::run_pieces(int thread) {
  for (;;) {
    const int piece = next_piece_.fetch_add(1, std::memory_order_relaxed);
    if (piece >= n_pieces_) return;
    try {
      (*body_)(piece, thread);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      failure_ = std::current_exception();
    }
  }
}

void ThreadPool::work(int thread) {
  unsigned seen = 0;
  for (;;) {
    wait_while_equal(epoch_, seen);
    seen = epoch_.load(std::memory_order_acquire);
    if (stopping_) return;
    run_pieces(thread);
    if (n_working_.fetch_sub(1, std::memory_order_acq_rel) == 1) n_working_.notify_one();
  }
}

void ThreadPool::parallel_for(int n_pieces, const std::function<void(int, int)>& body) {
  if (workers_.empty() || n_pieces <= 1) {
    for (int piece = 0; piece < n_pieces; piece++) body(piece, 0);
    return;
  }
  body_ = &body;
  n_pieces_ = n_pieces;
  next_piece_.store(0, std::memory_order_relaxed);
  n_working_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  run_pieces(0);
  for (int left = n_working_.load(std::memory_order_acquire); left != 0;
       left = n_working_.load(std::memory_order_acquire)) {
    wait_while_equal(n_working_, left);
  }
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace cachalot
