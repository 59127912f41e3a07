// Decides whether a waiting sequence may run. There must be memory for what it and the running ones
// will probably need. And if a running prompt begins alike, the sequence waits for its KV.
#pragma once

#include <algorithm>
#include <list>
#include <map>
#include <span>

#include "kv/memory.h"
#include "schedule/step.h"

namespace cachalot {

/** Sequences that run, in order of admission. */
using RunningSequences = std::list<Sequence*>;

class Admission {
 public:
  /** reuse: false computes every prompt whole, for measurements. */
  Admission(const KvMemory& kv, bool reuse)
      : cache_(kv.cache), pool_(kv.pool), preambles_(kv.preambles), reuse_(reuse) {}

  enum class Verdict { kAdmit, kDefer, kNoRoom };
  /** `expected_bytes`: those of the running sequences. kDefer: `next` waits for KV that comes soon,
   * and others may run before it. kNoRoom: `next` must wait,
   * and so must all after it. */
  Verdict can_admit(const RunningSequences& running, int64_t expected_bytes,
                    const Sequence& next) const;

  /** How many first tokens of the sequence's own text may come from the cache. */
  int n_reusable(const Sequence& sequence) const {
    const int n = std::max(0, sequence.demand.n_reusable() - sequence.text_begin);
    return reuse_ ? n : 0;
  }
  /** Bytes of KV that a sequence will probably still ask for. */
  int64_t expected_bytes(const Sequence& sequence) const;
  int64_t expected_bytes(const RunningSequences& running) const;
  /** Bytes that `next` and the running ones, which expect so many, will probably need beyond those
   * that are available. */
  int64_t missing_bytes(int64_t expected, const Sequence& next) const;
  /** Tokens that a waiting sequence finds stored. */
  int n_stored(const Sequence& sequence) const;

  /** Learns the length, in tokens, of an answer that has ended. */
  void learn_length(int n_generated);

 private:
  template <typename Visitor>
  void for_each_text(const Sequence& sequence, const Visitor& visitor) const;
  template <typename Visitor>
  bool for_each_part(const Sequence& sequence, const Preamble& preamble,
                     const Visitor& visitor) const;
  int n_tokens_at_most(const Sequence& sequence) const;
  int64_t replaced_slabs(const RunningSequences& running) const;
  int64_t missing_slabs(const Sequence& sequence, const PreambleRef& preamble,
                        std::map<const Preamble*, int64_t>* known) const;
  bool is_being_computed(const RunningSequences& running, const Sequence& next) const;

  const KvCache& cache_;
  const KvPool& pool_;
  const Preambles& preambles_;
  bool reuse_;
  double mean_generated_ = 0;  // tokens, of the answers that have ended
};

}  // namespace cachalot
