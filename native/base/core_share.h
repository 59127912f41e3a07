// Pools of one process share its cores: two engines that both run get half of them each, instead of
// twice as many threads as cores that wait for each other at every barrier. The cores belong to the
// process, so what is counted here does, too.
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

  /** A region begins: how many of `wanted` threads it may have now, at least 1. */
  int begin(int wanted);
  void end();

 private:
  int slot_;  // -1: there are more pools than slots, and this one is not counted
};

}  // namespace cachalot
