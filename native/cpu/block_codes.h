// The file formats' blocks, taken apart: the one place that knows how GGUF packs bits. Packing and
// gather_rows both read weights through it.
#pragma once

#include <cstdint>

#include "backend/dtype.h"

namespace cachalot::cpu {

/** One block of a quantized row: w[i] = scale * code[i] - min, in its format's own terms. */
struct BlockCodes {
  uint16_t d, dmin;    // f16 bits
  uint8_t scales[16];  // per 32 inputs (Q4_K, Q5_K, IQ2_XXS) or per 16 (Q2_K)
  uint8_t mins[16];
  uint8_t codes[256];  // unsigned codes; unused by IQ2_XXS
  uint8_t grid[32];    // IQ2_XXS: lattice point of each 8 inputs
  uint8_t signs[32];   // IQ2_XXS: a bit per input, set = negative
};

void read_block(DType dtype, const uint8_t* block, BlockCodes* out);

/** Converts n elements (whole blocks) of a row of any type to f32. */
void dequantize_row(DType dtype, const uint8_t* row, int64_t n, float* out);

}  // namespace cachalot::cpu
