// The angles of one position in the form that kernels take.
#pragma once

#include "backend/params.h"
#include "cpu/kernels.h"

namespace cachalot::cpu {

inline Rotation rotation_at(const RopeTable& rope, int position, int head_dim) {
  const int half = rope.rotated_dims / 2;
  const int64_t at = int64_t{position} * half;
  return {rope.cosines + at, rope.sines + at, half, rope.interleaved != 0, head_dim};
}

}  // namespace cachalot::cpu
