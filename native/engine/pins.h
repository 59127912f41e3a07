// Pinned contexts by the numbers that JavaScript gave them. A pinned segment is sealed, ends at a
// slab, and is never evicted; a segment that is split off above it is kept because it is its
// parent.
#pragma once

#include <map>

#include "kv/kv_cache.h"

namespace cachalot {

class Pins {
 public:
  explicit Pins(KvCache& cache) : cache_(cache) {}

  /** `tokens` have just been computed, and nothing has been evicted since. `ttl_ms`: after the last
   * use; 0: until `unpin`. */
  void pin(uint64_t pin, const std::string& key, std::span<const int32_t> tokens, int64_t ttl_ms) {
    pins_[pin] = {cache_.pin(key, tokens), ttl_ms};
  }
  /** The context's KV becomes ordinary cache. Unknown numbers are ignored. */
  void unpin(uint64_t pin) {
    if (const auto pinned = pins_.extract(pin)) cache_.unpin(pinned.mapped().segment);
  }
  /** Lets go of pins whose time to live is over. */
  void expire(int64_t now_ms) {
    for (auto pin = pins_.begin(); pin != pins_.end();) {
      const auto [segment, ttl_ms] = pin->second;
      const bool is_over =
          segment != nullptr && ttl_ms != 0 && segment->worth.used_ms + ttl_ms <= now_ms;
      if (is_over) cache_.unpin(segment);
      pin = is_over ? pins_.erase(pin) : std::next(pin);
    }
  }
  bool empty() const { return pins_.empty(); }

 private:
  struct Pin {
    KvSegment* segment;  // null for less than a slab
    int64_t ttl_ms;
  };

  KvCache& cache_;
  std::map<uint64_t, Pin> pins_;
};

}  // namespace cachalot
