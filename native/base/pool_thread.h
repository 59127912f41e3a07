// A thread of a pool, as its fellows see it. A busy program on its core may put it aside in the
// middle of a piece, for milliseconds, while its fellows have nothing left to do. One of them,
// whose core is free, then calls it over to that core; when it is done it goes back, so that it has
// the share of its old core that the system gives it, and its fellows have theirs undisturbed.
// Where the system lets nobody say where a thread runs, nothing is ever called over.
#pragma once

#include <atomic>
#include <memory>

namespace cachalot {

class PoolThread {
 public:
  PoolThread();
  ~PoolThread();

  /** The calling thread is this one. */
  void introduce();
  /** It is at work until `end`. */
  void begin();
  void end();

  /** Of another thread: whether it is at work, but does not run. Takes some microseconds. */
  bool is_put_aside() const;
  /** Moves it to the core of the calling thread. False if it may not run there, or is
   * called already. */
  bool call_over();

 private:
  enum class State { kIdle, kAtWork, kBeingCalled, kCalled };
  struct Place;  // which thread it is, and where it may run

  std::atomic<State> state_{State::kIdle};
  std::unique_ptr<Place> place_;
};

}  // namespace cachalot
