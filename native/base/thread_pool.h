// A pool of threads for short parallel regions. The caller takes part, so a pool of one thread has
// no workers and costs nothing. A region is cut into pieces that threads take from a shared
// counter, and ends when all pieces have ended: a thread that took none is not waited for. Waiting
// threads spin briefly, call over a thread that has been put aside in the middle of a piece (see
// pool_thread.h), and park.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/core_share.h"
#include "base/pool_thread.h"

namespace cachalot {

class ThreadPool {
 public:
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  /** Calls body(piece, thread) for every piece in [0, n_pieces), each once, and waits for all. The
   *  results must not depend on which thread ran a piece. If pieces throw, one of their exceptions
   * is thrown here, when those that have begun have ended. One caller at a time. */
  void parallel_for(int n_pieces, const std::function<void(int piece, int thread)>& body);

  /** The same for ranges of [0, n): each has at least `smallest` numbers, which are worth handing
   * over, and there are some for each thread. */
  void parallel_ranges(int64_t n, int64_t smallest,
                       const std::function<void(int64_t begin, int64_t end, int thread)>& body);

 private:
  void work(int thread);
  void stop();
  void run_pieces(int thread);
  bool take_piece(int* piece);
  void call_over();

  std::vector<PoolThread> threads_;  // the caller first
  std::vector<std::thread> workers_;
  CoreShare share_;
  // The state of one region. Only a thread that has taken a piece reads it, and the region cannot
  // end before that piece.
  const std::function<void(int, int)>* body_ = nullptr;
  int n_pieces_ = 0;
  std::exception_ptr failure_;  // of a piece
  std::mutex failure_mutex_;

  alignas(64) std::atomic<int> untaken_{0};
  alignas(64) std::atomic<int> unfinished_{0};
  alignas(64) std::atomic<unsigned> region_{0};
  std::atomic<int> n_helpers_{0};    // workers that take part in it
  std::atomic<int> n_allowed_{1};    // threads that other pools of the process leave to us
  std::atomic<unsigned> recall_{0};  // calls back workers that were left out for them
  std::atomic<bool> stopping_{false};
};

}  // namespace cachalot
