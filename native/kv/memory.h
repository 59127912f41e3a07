// All that an engine keeps of KV: the pool, what is stored in it, and what is read of that now.
#pragma once

#include <functional>
#include <memory>

#include "kv/preamble_table.h"
#include "kv/preambles.h"

namespace cachalot {

struct KvMemory {
  KvPool pool;
  std::function<void(std::span<const KvCopy>)> copy;  // none reads what another one writes
  KvCache cache;
  std::unique_ptr<SlabLists> own_lists;
  SlabLists& lists;  // a device has a copy of one array: memories on one device share it
  PreambleTable preamble_table{};
  Preambles preambles;

  /** `policies`: those that edits may name, none unless they are given; `shape`: of the model, for
   * these; `shared`: the lists of another memory, which lives longer, or null. */
  KvMemory(Backend& backend, std::span<const KvShape> classes, size_t bytes,
           PolicyMaker policies = {}, EditShape shape = {}, SlabLists* shared = nullptr)
      : pool(backend, classes, bytes),
        copy([this, &backend](std::span<const KvCopy> copies) {
          backend.kv_copy({pool.stores(), copies});
        }),
        cache(pool, [this](const KvCopy& one) { copy(std::span(&one, 1)); }),
        own_lists(shared == nullptr ? std::make_unique<SlabLists>() : nullptr),
        lists(shared == nullptr ? *own_lists : *shared),
        preambles(cache, pool, lists, backend, std::move(policies), std::move(shape)) {}
  KvMemory(const KvMemory&) = delete;
  KvMemory& operator=(const KvMemory&) = delete;
};

}  // namespace cachalot
