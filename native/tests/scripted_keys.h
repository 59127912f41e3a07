// Numbers in the place of floats, and keys in the place of K and V: what the scripted backend's
// memory holds.
#pragma once

#include <cstdint>

#include "backend/kv_table.h"

namespace cachalot::tests {

constexpr int kHeads = 2, kHeadDim = 2, kWidth = 4;

inline const uint32_t* numbers(const float* values) {
  return reinterpret_cast<const uint32_t*>(values);
}
inline uint32_t* numbers(float* values) { return reinterpret_cast<uint32_t*>(values); }

/** A slot of a block: the number that K and V stand for, and the position by which it is rotated
 * plus 1. An absent key is 0. */
struct Key {
  uint32_t value, rotation;
};
constexpr uint32_t kNoNumber = UINT32_MAX;  // a value; freed memory is full of it, too
static_assert(sizeof(Key) == kHeadDim * sizeof(float));

inline Key* keys_of(const KvStore& store, uint32_t slab, int layer, int head) {
  return reinterpret_cast<Key*>(kv_block(store, slab, layer, head));
}

}  // namespace cachalot::tests
