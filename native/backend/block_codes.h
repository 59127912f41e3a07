// Takes the blocks of the file formats apart. It is the one place that knows how GGUF packs bits;
// packing and gather_rows both read weights through it.
#pragma once

#include <cstdint>

#include "backend/dtype.h"

namespace cachalot {

/** One block of a quantized row, in its format's own terms: for most
 * w[i] = d * scale * (code[i] - zero) - dmin * min, scales and minima per 32 inputs or per 16. */
struct BlockCodes {
  uint16_t d, dmin;    // f16 bits
  int8_t scales[16];   // 1 where a format has only d
  uint8_t mins[16];    // 1 where a format has only dmin
  uint8_t codes[256];  // unsigned codes; unused by IQ2_XXS
  uint8_t grid[32];    // IQ2_XXS: lattice point of each 8 inputs
  uint8_t signs[32];   // IQ2_XXS: a bit per input, set = negative
};

void read_block(DType dtype, const uint8_t* block, BlockCodes* out);

/** Converts n elements (whole blocks) of a row of any type to f32. */
void dequantize_row(DType dtype, const uint8_t* row, int64_t n, float* out);

}  // namespace cachalot
