// The element types of weights and of KV, by number. C headers only: kernels for one instruction
// set and kernels of CUDA include it.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cachalot {

/** The numbers are GGUF's. */
enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ2_XXS = 16,
  kIQ4_NL = 20,
  kIQ4_XS = 23,
  kBF16 = 30,
};

static constexpr bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

/** How K and V are stored. */
enum class KvFormat : uint32_t { kF32, kBF16 };

static constexpr size_t kv_element_bytes(KvFormat format) {
  return format == KvFormat::kF32 ? 4 : 2;
}

}  // namespace cachalot
