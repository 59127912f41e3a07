// Pinned contexts by the numbers that JavaScript gave them. A pinned segment is sealed, ends at a
// slab, and is never evicted; a segment that is split off above it is kept because it is its
// parent.
#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "kv/memory.h"

namespace cachalot {

class Pins {
 public:
  explicit Pins(KvMemory& kv) : kv_(kv) {}

  /** Pins `tokens`, which have just been computed; nothing has been evicted since. `ttl_ms`: how
   * long they stay pinned after the last use; 0: until `unpin`. */
  void pin(uint64_t pin, const TreeKey& key, std::span<const int32_t> tokens, int64_t ttl_ms,
           int64_t now_ms) {
    pins_[pin] = {kv_.cache.pin(key, tokens), hold_preamble(key), ttl_ms, now_ms};
  }
  /** The context's KV becomes ordinary cache. False if there is no such pin. */
  bool unpin(uint64_t pin) {
    auto pinned = pins_.extract(pin);
    if (pinned.empty()) return false;
    release(&pinned.mapped());
    return true;
  }
  /** Unpins the KV of pins whose time to live is over; their numbers stay known. */
  void expire(int64_t now_ms) {
    for (auto& [pin, pinned] : pins_) {
      if (!pinned.holds_any() || pinned.ttl_ms == 0) continue;
      int64_t used_ms = pinned.pinned_ms;
      if (pinned.segment != nullptr) used_ms = std::max(used_ms, pinned.segment->worth.used_ms);
      if (pinned.preamble != nullptr) used_ms = std::max(used_ms, pinned.preamble->used_ms());
      if (used_ms + pinned.ttl_ms <= now_ms) release(&pinned);
    }
  }
  /** Whether any KV is pinned. */
  bool hold_any() const {
    return std::any_of(pins_.begin(), pins_.end(),
                       [](const auto& pin) { return pin.second.holds_any(); });
  }

 private:
  struct Pin {
    KvSegment* segment;      // null for less than a slab, and after the time to live
    HeldPreamble* preamble;  // what stands before it; null: nothing
    int64_t ttl_ms;
    int64_t pinned_ms;  // when: less than a slab has no last use

    bool holds_any() const { return segment != nullptr || preamble != nullptr; }
  };

  /** A part that cannot be held, because there is no memory, is computed again when it is needed.
   */
  HeldPreamble* hold_preamble(const TreeKey& key) {
    HeldPreamble* preamble = kv_.preambles.use(key);
    for (size_t i = 0; preamble != nullptr && i < key.preamble->parts.size(); i++) {
      if (!preamble->holds(i)) kv_.preambles.hold(preamble, i);
    }
    return preamble;
  }
  void release(Pin* pin) {
    kv_.cache.unpin(std::exchange(pin->segment, nullptr));
    kv_.preambles.leave(std::exchange(pin->preamble, nullptr));
  }

  KvMemory& kv_;
  std::map<uint64_t, Pin> pins_;
};

}  // namespace cachalot
