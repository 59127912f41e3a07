// Decides whether a waiting sequence may run. There must be memory for what it and the running ones
// will probably need. And if a running prompt begins alike, the sequence waits for its KV.
#pragma once

#include <list>
#include <span>

#include "kv/kv_cache.h"
#include "schedule/step.h"

namespace cachalot {

/** Sequences that have a leaf, in order of admission. */
using RunningSequences = std::list<Sequence*>;

class Admission {
 public:
  /** reuse: false computes every prompt whole, for measurements. */
  Admission(const KvCache& cache, const KvPool& pool, bool reuse)
      : cache_(cache), pool_(pool), reuse_(reuse) {}

  enum class Verdict { kAdmit, kDefer, kNoRoom };
  /** kDefer: `next` waits for KV that comes soon, and others may run before it. kNoRoom: `next`
   * must wait, and so must all after it. */
  Verdict can_admit(const RunningSequences& running, const Step& step, const Sequence& next) const;

  /** The tokens that may come from the cache. */
  std::span<const int32_t> reusable(const Sequence& sequence) const;
  /** Slabs that a sequence will probably still ask for. */
  int expected_slabs(const Sequence& sequence) const;
  /** Slabs that `next` and the running ones will probably need beyond those that are available. */
  int missing_slabs(const RunningSequences& running, const Sequence& next) const;

  /** Learns the length, in tokens, of an answer that has ended. */
  void learn_length(int n_generated);

 private:
  bool is_being_computed(const RunningSequences& running, const Sequence& next, int n_stored) const;

  const KvCache& cache_;
  const KvPool& pool_;
  bool reuse_;
  double mean_generated_ = 0;  // tokens, of the answers that have ended
};

}  // namespace cachalot
