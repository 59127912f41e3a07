// What one KV block holds: the keys of 32 tokens of one (layer, KV head), then their values. The
// order inside K and inside V is the backend's. C headers only: kernels of CUDA include it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/arithmetic.h"
#include "backend/number_formats.h"

namespace cachalot {

constexpr size_t kKvAddressUnit = 64;  // bytes; 32-bit addresses then reach 256 GiB

/** The formats of a block's keys and values, and the places that follow from them. */
struct KvLayout {
  KvFormat k, v;
  int32_t head_dim;      // D, of K and of V
  uint32_t block_units;  // size of a block in address units
};

/** Bytes of a block's keys; its values follow. */
static constexpr size_t kv_value_offset(const KvLayout& layout) {
  return static_cast<size_t>(kTileTokens) * static_cast<size_t>(layout.head_dim) *
         kv_element_bytes(layout.k);
}

static constexpr size_t kv_block_bytes(const KvLayout& layout) {
  return layout.block_units * kKvAddressUnit;
}

static constexpr KvLayout kv_layout(KvFormat k, KvFormat v, int head_dim) {
  const size_t bytes = static_cast<size_t>(kTileTokens) * static_cast<size_t>(head_dim) *
                       (kv_element_bytes(k) + kv_element_bytes(v));
  return {k, v, head_dim, static_cast<uint32_t>((bytes + kKvAddressUnit - 1) / kKvAddressUnit)};
}

}  // namespace cachalot
