#include "tests/pools.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "base/check.h"
#include "base/cores.h"
#include "base/pool_thread.h"
#include "base/thread_pool.h"

namespace cachalot::tests {

namespace {

/** One region: each piece counts itself; one of them may throw. */
void run_region(ThreadPool& pool, int n_pieces, int throwing) {
  std::vector<std::atomic<int>> runs(static_cast<size_t>(n_pieces));
  bool thrown = false;
  try {
    pool.parallel_for(n_pieces, [&](int piece, int thread) {
      CHECK(thread >= 0 && thread < pool.size(), "the thread is of the pool");
      runs[static_cast<size_t>(piece)]++;
      if (piece == throwing) throw std::runtime_error("a piece");
    });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  const bool alone = pool.size() == 1 && throwing < n_pieces;
  CHECK(thrown == (throwing < n_pieces), "what a piece throws arrives");
  for (const auto& count : runs) {
    // Without workers no other thread goes on after an exception.
    if (!alone) CHECK(count == 1, "every piece runs once");
  }
}

/** Ranges cover all of n, in order and once. */
void run_ranges(ThreadPool& pool, int64_t n, int64_t smallest) {
  std::atomic<int64_t> sum{0}, count{0};
  pool.parallel_ranges(n, smallest, [&](int64_t begin, int64_t end, int) {
    CHECK(begin < end && end <= n, "a range is not empty");
    count += end - begin;
    sum += (end * (end - 1) - begin * (begin - 1)) / 2;
  });
  CHECK(count == n && sum == n * (n - 1) / 2, "ranges cover everything once");
}

void spin_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) continue;
}

constexpr int kThreads = 4;

/** How many threads took part in one region. */
int threads_of_region(ThreadPool& pool) {
  std::array<std::atomic<bool>, kThreads> used{};
  pool.parallel_for(64, [&](int, int thread) {
    used[static_cast<size_t>(thread)] = true;
    spin_for(std::chrono::microseconds(5));
  });
  return static_cast<int>(std::count(used.begin(), used.end(), true));
}

/** Beside another pool that is at work, a pool has its share of the cores and no more. */
void halve_cores() {
  ThreadPool pool(kThreads), other(kThreads);
  std::atomic<bool> begun{false}, done{false};
  // One region that lasts until we are done, however the threads are scheduled.
  std::thread user([&] {
    other.parallel_for(8, [&](int, int) {
      begun = true;
      while (!done) std::this_thread::yield();
    });
  });
  while (!begun) std::this_thread::yield();
  int most = 0;
  for (int i = 0; i < 300; i++) most = std::max(most, threads_of_region(pool));
  done = true;
  user.join();
  CHECK(most <= std::max(usable_cores(), kThreads) / 2, "two pools have half of the cores each");
}

#ifdef __linux__
using Cores = cpu_set_t;
Cores own_cores() {
  Cores cores;
  CHECK(::sched_getaffinity(0, sizeof cores, &cores) == 0, "the cores of a thread are known");
  return cores;
}
bool are_equal(const Cores& a, const Cores& b) { return CPU_EQUAL(&a, &b); }
int count_of(const Cores& cores) { return CPU_COUNT(&cores); }
constexpr bool kCanCall = true;
#else
struct Cores {};
Cores own_cores() { return {}; }
bool are_equal(const Cores&, const Cores&) { return true; }
int count_of(const Cores&) { return 1; }
constexpr bool kCanCall = false;
#endif

/** A thread that does not run comes to the core of the one that calls it, and may run everywhere
 * again when its work ends. */
void call_over_and_back() {
  PoolThread thread;
  std::atomic<bool> begun{false}, called{false};
  std::thread user([&] {
    const Cores before = own_cores();
    thread.introduce();
    thread.begin();
    begun = true;
    begun.notify_one();
    called.wait(false);  // it is at work, but its clock stands still
    CHECK(count_of(own_cores()) == 1, "a thread that is called has one core");
    thread.end();
    CHECK(are_equal(before, own_cores()), "and its own cores afterwards");
  });
  begun.wait(false);
  while (!thread.is_put_aside()) std::this_thread::yield();
  CHECK(thread.call_over(), "who does not run can be called");
  CHECK(!thread.call_over(), "but once");
  CHECK(!thread.is_put_aside(), "nobody is called twice");
  called = true;
  called.notify_one();
  user.join();
  CHECK(!thread.is_put_aside(), "who is not at work is not called");
}

}  // namespace

std::string pools_share_cores(const Effort& effort, uint64_t seed) {
  const Deadline deadline(effort);
  std::atomic<int> n_regions{0}, n_pools{0};
  std::atomic<bool> failed{false};
  const auto user = [&](uint64_t own) {
    std::mt19937_64 random(own);
    try {
      const Cores before = own_cores();
      for (int turns = 0; deadline.allows(turns);) {
        ThreadPool pool(1 + static_cast<int>(random() % 4));
        n_pools++;
        for (int i = 0; i < 500 && deadline.allows(turns); i++, turns++) {
          const int n_pieces = static_cast<int>(random() % 40);
          run_region(pool, n_pieces,
                     random() % 8 == 0 ? static_cast<int>(random() % 40) : n_pieces);
          run_ranges(pool, static_cast<int64_t>(random() % 5000),
                     1 + static_cast<int64_t>(random() % 300));
          n_regions += 2;
          // Workers that have parked come back.
          if (random() % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
      }
      // There were more threads than cores, so some were called over.
      CHECK(are_equal(before, own_cores()), "a thread has its own cores afterwards");
    } catch (const std::exception&) {
      failed = true;
    }
  };
  std::vector<std::thread> users;
  for (uint64_t i = 0; i < 3; i++) users.emplace_back(user, seed + i);
  for (auto& thread : users) thread.join();
  CHECK(!failed, "a pool broke its promise");
  halve_cores();
  if (kCanCall) call_over_and_back();
  CHECK(n_regions > 0, "something was run");
  return std::to_string(n_regions) + " regions on " + std::to_string(n_pools) + " pools";
}

}  // namespace cachalot::tests
