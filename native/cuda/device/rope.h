// Rotary positions (RoFormer, Su et al. 2021): one value of a head, rotated with its partner.
#pragma once

#include "backend/rope_table.h"
#include "cuda/device/simt.h"

namespace cachalot::cuda {

/** Value `d` of a head's D at an angle of `position`. */
SIMT_DEV float rotated(const RopeTable& rope, const float* head, int d, int64_t position) {
  if (d >= rope.rotated_dims) return head[d];
  const int half = rope.rotated_dims / 2;
  const bool is_second = rope.interleaved ? d % 2 == 1 : d >= half;
  const int pair = rope.interleaved ? d / 2 : d % half;
  const int partner = rope.interleaved ? d ^ 1 : is_second ? d - half : d + half;
  const float cosine = rope.cosines[position * half + pair];
  const float sine = rope.sines[position * half + pair];
  return is_second ? fmaf(head[partner], sine, head[d] * cosine)
                   : fmaf(-head[partner], sine, head[d] * cosine);
}

}  // namespace cachalot::cuda
