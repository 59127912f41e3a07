// The layout inside a KV block on the CPU, the same for every path. K and V are transposed pairwise
// so that a register holds 16 keys, or 16 columns of V:
//   f32:  K [D][32],        V [32][D]
//   bf16: K [D/2][32][2],   V [16][D][2]
#pragma once

#include "backend/kv_layout.h"
#include "base/half.h"

namespace cachalot::cpu {

/** Element (token, dim) of K or of V, counted in elements from the beginning of K or of V. */
inline int key_index(const KvLayout& layout, int slot, int d) {
  return layout.k == KvFormat::kF32 ? d * kTileTokens + slot
                                    : d / 2 * 2 * kTileTokens + 2 * slot + d % 2;
}
inline int value_index(const KvLayout& layout, int slot, int d) {
  return layout.v == KvFormat::kF32 ? slot * layout.head_dim + d
                                    : slot / 2 * 2 * layout.head_dim + 2 * d + slot % 2;
}

inline void store_element(KvFormat format, uint8_t* elements, int index, float value) {
  if (format == KvFormat::kF32) reinterpret_cast<float*>(elements)[index] = value;
  else reinterpret_cast<uint16_t*>(elements)[index] = f32_to_bf16(value);
}

inline float load_element(KvFormat format, const uint8_t* elements, int index) {
  return format == KvFormat::kF32 ? reinterpret_cast<const float*>(elements)[index]
                                  : bf16_to_f32(reinterpret_cast<const uint16_t*>(elements)[index]);
}

/** Copies one element as it is. */
}  // namespace cachalot::cpu
