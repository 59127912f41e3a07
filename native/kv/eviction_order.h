// Which cached leaf goes first when the pool runs short. First what nobody is expected to want or
// whose time is over, then the lowest priority, then the lowest value, then what was used longest
// ago. The value is GreedyDual-Size-Frequency's (Cherkasova 1998): L + hits * cost / size, where L
// is the value of what went last, so that what is not used ages; and what a token costs to compute
// again grows with its place in the context.
#pragma once

#include <algorithm>
#include <set>
#include <tuple>

#include "kv/segment.h"

namespace cachalot {

class EvictionOrder {
 public:
  /** Only the time of the last use counts: what others do, for comparison. */
  void use_lru() { lru_ = true; }

  /** A use of the segment: somebody found it (`hit`), or it was written or is to be kept. Not for
   * one that is in the order. */
  void touch(KvSegment* segment, bool hit) {
    Worth& worth = segment->worth;
    worth.last_used = ++clock_;
    worth.used_ms = now_ms_;
    worth.n_hits += hit ? 1 : 0;
    worth.expendable = false;
    worth.value = lru_ ? 0 : floor_ + (1 + worth.n_hits) * cost_per_token(*segment);
    worth.expires_ms = worth.ttl_ms == 0 ? 0 : now_ms_ + worth.ttl_ms;
  }

  /** Segments in the order must not change their worth. */
  void insert(KvSegment* segment) {
    leaves_.insert(key(segment));
    if (segment->worth.expires_ms != 0 && !segment->worth.expendable)
      expiring_.emplace(segment->worth.expires_ms, segment);
  }
  void erase(KvSegment* segment) {
    leaves_.erase(key(segment));
    expiring_.erase({segment->worth.expires_ms, segment});
  }

  /** The next to go, or null. */
  KvSegment* first() const { return leaves_.empty() ? nullptr : std::get<4>(*leaves_.begin()); }
  /** It goes: what stays is worth less from now on. */
  void age(const Worth& worth) {
    if (!worth.expendable) floor_ = std::max(floor_, worth.value);
  }

  /** Time passes: those that are over become the first to go. */
  void set_time(int64_t now_ms) {
    while (!expiring_.empty() && expiring_.begin()->first <= now_ms) {
      KvSegment* segment = expiring_.begin()->second;
      erase(segment);
      segment->worth.expendable = true;
      insert(segment);
    }
    now_ms_ = now_ms;
  }

 private:
  using Key = std::tuple<bool, int, double, uint64_t, KvSegment*>;

  /** At this many tokens of context, attention costs about as much as all the weights. */
  static constexpr double kAttentionTokens = 8192;

  static double cost_per_token(const KvSegment& segment) {
    return 1 + segment.begin / kAttentionTokens;
  }
  static Key key(KvSegment* segment) {
    const Worth& worth = segment->worth;
    return {!worth.expendable, worth.priority, worth.value, worth.last_used, segment};
  }

  std::set<Key> leaves_;
  std::set<std::pair<int64_t, KvSegment*>> expiring_;
  double floor_ = 0;
  uint64_t clock_ = 0;
  int64_t now_ms_ = 0;
  bool lru_ = false;
};

}  // namespace cachalot
