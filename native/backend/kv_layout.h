// What one KV block holds: the keys of 32 tokens of one (layer, KV head), then their values. The
// order inside K and inside V is the backend's. A block of an edited part goes on with what it
// knows of each key. C headers only: kernels of CUDA include it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "backend/arithmetic.h"
#include "backend/number_formats.h"

namespace cachalot {

constexpr size_t kKvAddressUnit = 64;  // bytes; 32-bit addresses then reach 256 GiB

enum class KvBlockKind : uint32_t {
  kPlain,   // keys and values
  kEdited,  // and a KeyNotes
};

/** What an edited block knows of its keys. Slots past the last key hold zeros. */
struct KeyNotes {
  int32_t index[kTileTokens];  // which token of the part it was; ascending over a head's keys
  float weight[kTileTokens];   // log2 of how many tokens it stands for; -inf: of none
};

/** The formats of a block's keys and values, and the places that follow from them. */
struct KvLayout {
  KvFormat k, v;
  int32_t head_dim;      // D, of K and of V
  uint32_t block_units;  // size of a block in address units
  KvBlockKind kind;
};

/** Bytes of a block's keys; its values follow. */
static constexpr size_t kv_value_offset(const KvLayout& layout) {
  return static_cast<size_t>(kTileTokens) * static_cast<size_t>(layout.head_dim) *
         kv_element_bytes(layout.k);
}

/** Bytes of a block's keys and values; an edited block's KeyNotes follow. */
static constexpr size_t kv_notes_offset(const KvLayout& layout) {
  return static_cast<size_t>(kTileTokens) * static_cast<size_t>(layout.head_dim) *
         (kv_element_bytes(layout.k) + kv_element_bytes(layout.v));
}

static constexpr size_t kv_block_bytes(const KvLayout& layout) {
  return layout.block_units * kKvAddressUnit;
}

static constexpr KvLayout kv_layout(KvFormat k, KvFormat v, int head_dim,
                                    KvBlockKind kind = KvBlockKind::kPlain) {
  KvLayout layout{k, v, head_dim, 0, kind};
  const size_t bytes =
      kv_notes_offset(layout) + (kind == KvBlockKind::kEdited ? sizeof(KeyNotes) : 0);
  layout.block_units = static_cast<uint32_t>((bytes + kKvAddressUnit - 1) / kKvAddressUnit);
  return layout;
}

}  // namespace cachalot
