// All that an engine keeps of KV: the pool, what is stored in it, and what is read of that now.
#pragma once

#include "kv/preambles.h"

namespace cachalot {

struct KvMemory {
  KvPool pool;
  KvCache cache;
  SlabLists lists{};
  Preambles preambles;

  KvMemory(Backend& backend, std::span<const KvShape> classes, size_t bytes)
      : pool(backend, classes, bytes),
        cache(pool,
              [this, &backend](const KvCopy& copy) {
                backend.kv_copy({pool.stores(), std::span(&copy, 1)});
              }),
        preambles(cache, lists) {}
  KvMemory(const KvMemory&) = delete;
  KvMemory& operator=(const KvMemory&) = delete;
};

}  // namespace cachalot
