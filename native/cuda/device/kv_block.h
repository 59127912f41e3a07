// The layout inside a KV block on the device: 32 tokens of K, then of V, in bf16, so that a lane of
// a warp finds with one 16-byte load what two mma.sync want of it as B, from memory or from a copy
// of the block in shared memory, without conflicts. Lane 4 g + t:
//   K [D/16 steps][2 pairs of 8 keys][32 lanes][16]: of key g of each of the pair's eights, dims
//     2t, 2t+1 and 2t+8, 2t+9 of the step
//   V [D/8 octets][32 lanes][16]: of dim g of the octet, keys 2t, 2t+1, 2t+8, 2t+9 of the first 16,
//     then of the last 16
#pragma once

#include "backend/kv_table.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

/** Where an element stands, counted in elements: `inner` is what mma sums over, in 16s. */
SIMT_DEV int fragment_element(int inner) {  // of the 16: pair t of (inner, inner + 8), element
  return inner % 8 / 2 * 8 + inner / 8 * 2 + inner % 2;
}
SIMT_DEV int key_element(int token, int d) {
  const int lanes = (d / 16 * 2 + token / 16) * 32 + token % 8 * 4;
  return lanes * 8 + fragment_element(d % 16) + token % 16 / 8 * 4;
}
SIMT_DEV int value_element(int token, int d) {
  const int lanes = d / 8 * 32 + d % 8 * 4;
  return lanes * 8 + fragment_element(token % 16) + token / 16 * 4;
}

}  // namespace cachalot::cuda
