// Chooses which cached leaf is evicted when the pool runs short. Demoted leaves and those whose
// time to live is over come first, then the lowest priority, then the lowest value, then the least
// recently used. The value is GreedyDual-Size-Frequency's (Cherkasova 1998): L + hits * cost /
// size. L is the value of the last victim, so leaves that are not used age. The cost of a token is
// the work to compute it again, which grows with its position in the context.
#pragma once

#include <algorithm>
#include <set>
#include <tuple>

#include "kv/segment.h"

namespace cachalot {

class EvictionOrder {
 public:
  /** From now on evicts the least recently used leaf, whatever its worth. For comparison. */
  void use_lru() { lru_ = true; }

  uint64_t next_use() { return ++clock_; }

  /** Notes a use: the segment was found (`is_hit`), written, or told to be kept. The segment must
   * not be in the order. */
  void touch(KvSegment* segment, bool is_hit) {
    Worth& worth = segment->worth;
    worth.last_used = next_use();
    worth.used_ms = now_ms_;
    worth.n_hits += is_hit ? 1 : 0;
    worth.is_demoted = false;
    worth.value = lru_ ? 0 : floor_ + (1 + worth.n_hits) * cost_per_token(*segment);
    worth.expires_ms = worth.ttl_ms == 0 ? 0 : now_ms_ + worth.ttl_ms;
  }

  /** The worth of a segment must not change while it is in the order. */
  void insert(KvSegment* segment) {
    leaves_.insert(key(segment));
    if (segment->worth.expires_ms != 0 && !segment->worth.is_demoted)
      expiring_.emplace(segment->worth.expires_ms, segment);
  }
  void erase(KvSegment* segment) {
    leaves_.erase(key(segment));
    expiring_.erase({segment->worth.expires_ms, segment});
  }

  /** The leaf to evict next, or null if there is none. */
  KvSegment* choose_victim() const {
    return leaves_.empty() ? nullptr : std::get<4>(*leaves_.begin());
  }
  /** A victim of this worth was evicted: the leaves that stay are worth less from now on. */
  void age(const Worth& worth) {
    if (!worth.is_demoted) floor_ = std::max(floor_, worth.value);
  }

  /** Demotes the leaves whose time to live is over. */
  void set_time(int64_t now_ms) {
    while (!expiring_.empty() && expiring_.begin()->first <= now_ms) {
      KvSegment* segment = expiring_.begin()->second;
      erase(segment);
      segment->worth.is_demoted = true;
      insert(segment);
    }
    now_ms_ = now_ms;
  }

 private:
  using Key = std::tuple<bool, int, double, uint64_t, KvSegment*>;

  /** At this many tokens of context, attention costs about as much as all the weights. */
  static constexpr double kAttentionTokens = 8192;

  static double cost_per_token(const KvSegment& segment) {
    return 1 + segment.position / kAttentionTokens;
  }
  static Key key(KvSegment* segment) {
    const Worth& worth = segment->worth;
    return {!worth.is_demoted, worth.priority, worth.value, worth.last_used, segment};
  }

  std::set<Key> leaves_;
  std::set<std::pair<int64_t, KvSegment*>> expiring_;
  double floor_ = 0;
  uint64_t clock_ = 0;
  int64_t now_ms_ = 0;
  bool lru_ = false;
};

}  // namespace cachalot
