// The names and sizes of element types.
#pragma once

#include <cstdint>
#include <string>

#include "backend/number_formats.h"

namespace cachalot {

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

const char* kv_format_name(KvFormat format);

}  // namespace cachalot
