// Memory that runs out where a test says so: in this program `operator new` is ours.
#pragma once

#include <cstdint>

namespace cachalot::tests {

/** As long as it lives, the n-th allocation on threads that may fail (n >= 1), or that and all
 * later ones, throws std::bad_alloc. One at a time. */
class FailingMemory {
 public:
  FailingMemory(int64_t n, bool for_ever);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  /** Whether an allocation has failed. */
  bool has_failed() const;
};

/** Says whether allocations of this thread may fail in its scope. On other threads they may: those
 * are the engine's. */
class MayFail {
 public:
  explicit MayFail(bool may);
  ~MayFail();
  MayFail(const MayFail&) = delete;
  MayFail& operator=(const MayFail&) = delete;

 private:
  bool before_;
};

}  // namespace cachalot::tests
