// The angles of rotary positions (RoFormer, Su et al. 2021). C headers only: kernels of CUDA
// include it.
#pragma once

#include <stdint.h>

namespace cachalot {

/** Angles for every position, computed in double and kept in f32. */
struct RopeTable {
  const float* cosines;  // [positions, rotated_dims / 2]
  const float* sines;    // [positions, rotated_dims / 2]
  int32_t rotated_dims;  // how many of a head's D dims are rotated: the first
  int32_t interleaved;   // 1: pairs are (2i, 2i+1), as in GGUF's llama; 0: (i, i + rotated_dims/2)
};

}  // namespace cachalot
