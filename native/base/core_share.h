// Pools of one process share its cores: two engines that both run get half of them each. Otherwise
// twice as many threads as cores would wait for each other at every barrier. The cores belong to
// the process, so the counters are the process's, too.
#pragma once

#include <atomic>
#include <cstdint>

namespace cachalot {

class CoreShare {
 public:
  CoreShare();
  ~CoreShare();
  CoreShare(const CoreShare&) = delete;
  CoreShare& operator=(const CoreShare&) = delete;

  /** Lasts as long as one region. */
  class Turn {
   public:
    Turn(CoreShare& share, int wanted) : share_(share), n_threads_(share.begin(wanted)) {}
    ~Turn() { share_.end(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    /** How many of the wanted threads the pool may have now, at least 1. */
    int n_threads() const { return n_threads_; }

   private:
    CoreShare& share_;
    int n_threads_;
  };

 private:
  int begin(int wanted);
  void end();

  int slot_;  // -1: there are more pools than slots, and this one is not counted
};

}  // namespace cachalot
