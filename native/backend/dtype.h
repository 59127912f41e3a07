// Element types of weights and of the KV cache. The numbers of DType are GGUF's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace cachalot {

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

/** A tensor is stored as rows of blocks of `block_size` elements in `block_bytes` bytes. */
struct DTypeInfo {
  DType dtype;
  const char* name;
  uint32_t block_size;
  uint32_t block_bytes;
};

/** Null if GGUF's type number is not one that we read. */
const DTypeInfo* find_dtype(uint32_t gguf_type);
const DTypeInfo& dtype_info(DType dtype);
/** "F32, F16, ...": for error messages. */
std::string supported_dtypes();

inline bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

/** How K and V are stored. */
enum class KvFormat : uint32_t { kF32, kBF16 };

const char* kv_format_name(KvFormat format);
inline size_t kv_element_bytes(KvFormat format) { return format == KvFormat::kF32 ? 4 : 2; }

}  // namespace cachalot
