// A tensor of a file in another element type: quantized weights become floats, or Q8_0.
#pragma once

#include <vector>

#include "weights/stored_tensor.h"

namespace cachalot {

/** Row by row: read as f32, then rounded to nearest. Throws unsupported_type for a type that is not
 * F32, F16, BF16 or Q8_0, and for Q8_0 where a row is no multiple of 32. */
std::vector<uint8_t> convert_tensor(const StoredTensor& stored, DType to);

}  // namespace cachalot
