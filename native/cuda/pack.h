// Weights of a file into the device's tiles; see formats.h.
#pragma once

#include <cstdint>

#include "backend/tensor.h"
#include "base/memory_region.h"
#include "base/thread_pool.h"
#include "cuda/formats.h"

namespace cachalot::cuda {

/** How a type of the file lies on the device. */
Format format_of(DType dtype);

/** weight_bytes(format_of(tensor.dtype), N, K) bytes, made by all threads of the pool. */
MemoryRegion pack_weight(const Tensor& tensor, ThreadPool& pool);

}  // namespace cachalot::cuda
