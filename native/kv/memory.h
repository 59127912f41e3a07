// All that an engine keeps of KV: the pool, what is stored in it, and what is read of that now.
#pragma once

#include "kv/preamble_table.h"
#include "kv/preambles.h"

namespace cachalot {

struct KvMemory {
  KvPool pool;
  KvCache cache;
  SlabLists lists{};
  PreambleTable preamble_table{};
  Preambles preambles;

  /** `policies`: those that edits may name, none unless they are given; `shape`: of the model, for
   * these. */
  KvMemory(Backend& backend, std::span<const KvShape> classes, size_t bytes,
           PolicyMaker policies = {}, EditShape shape = {})
      : pool(backend, classes, bytes),
        cache(pool,
              [this, &backend](const KvCopy& copy) {
                backend.kv_copy({pool.stores(), std::span(&copy, 1)});
              }),
        preambles(cache, pool, lists, backend, std::move(policies), std::move(shape)) {}
  KvMemory(const KvMemory&) = delete;
  KvMemory& operator=(const KvMemory&) = delete;
};

}  // namespace cachalot
