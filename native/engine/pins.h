// Pinned contexts by the numbers that JavaScript gave them. A pinned segment is sealed, ends at a
// slab, and is never evicted; a segment that is split off above it is kept because it is its
// parent.
#pragma once

#include <algorithm>
#include <map>

#include "kv/kv_cache.h"

namespace cachalot {

class Pins {
 public:
  explicit Pins(KvCache& cache) : cache_(cache) {}

  /** Pins `tokens`, which have just been computed; nothing has been evicted since. `ttl_ms`: how
   * long they stay pinned after the last use; 0: until `unpin`. */
  void pin(uint64_t pin, const std::string& key, std::span<const int32_t> tokens, int64_t ttl_ms) {
    pins_[pin] = {cache_.pin(key, tokens), ttl_ms};
  }
  /** The context's KV becomes ordinary cache. False if there is no such pin. */
  bool unpin(uint64_t pin) {
    const auto pinned = pins_.extract(pin);
    if (pinned.empty()) return false;
    cache_.unpin(pinned.mapped().segment);
    return true;
  }
  /** Unpins the KV of pins whose time to live is over; their numbers stay known. */
  void expire(int64_t now_ms) {
    for (auto& [pin, pinned] : pins_) {
      auto& [segment, ttl_ms] = pinned;
      if (segment == nullptr || ttl_ms == 0 || segment->worth.used_ms + ttl_ms > now_ms) continue;
      cache_.unpin(segment);
      segment = nullptr;
    }
  }
  /** Whether any KV is pinned. */
  bool hold_any() const {
    return std::any_of(pins_.begin(), pins_.end(),
                       [](const auto& pin) { return pin.second.segment != nullptr; });
  }

 private:
  struct Pin {
    KvSegment* segment;  // null for less than a slab, and after the time to live
    int64_t ttl_ms;
  };

  KvCache& cache_;
  std::map<uint64_t, Pin> pins_;
};

}  // namespace cachalot
