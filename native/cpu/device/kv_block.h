// The layout inside a KV block on the CPU, the same for every path. K and V are transposed pairwise
// so that a register holds 16 keys, or 16 columns of V:
//   f32:  K [D][32],        V [32][D]
//   bf16: K [D/2][32][2],   V [16][D][2]
#pragma once

#include "backend/kv_store.h"
#include "base/half.h"

namespace cachalot::cpu {

/** Bytes of K in a block; V follows. */
inline size_t kv_half_bytes(const KvStore& store) {
  return size_t{kTileTokens} * static_cast<size_t>(store.head_dim) * kv_element_bytes(store.format);
}

inline size_t kv_block_bytes(const KvStore& store) { return store.block_units * kKvAddressUnit; }

/** Element (token, dim) of K or of V, counted in elements from the half's start. */
inline int key_index(const KvStore& store, int slot, int d) {
  return store.format == KvFormat::kF32 ? d * kTileTokens + slot
                                        : d / 2 * 2 * kTileTokens + 2 * slot + d % 2;
}
inline int value_index(const KvStore& store, int slot, int d) {
  return store.format == KvFormat::kF32 ? slot * store.head_dim + d
                                        : slot / 2 * 2 * store.head_dim + 2 * d + slot % 2;
}

inline void store_element(const KvStore& store, uint8_t* half, int index, float value) {
  if (store.format == KvFormat::kF32) reinterpret_cast<float*>(half)[index] = value;
  else reinterpret_cast<uint16_t*>(half)[index] = f32_to_bf16(value);
}

}  // namespace cachalot::cpu
