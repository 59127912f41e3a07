#include "backend/dtype.h"

#include "base/check.h"

namespace cachalot {

namespace {

constexpr DTypeInfo kTypes[] = {
    {DType::kF32, "F32", 1, 4},
    {DType::kF16, "F16", 1, 2},
    {DType::kBF16, "BF16", 1, 2},
    {DType::kQ8_0, "Q8_0", 32, 34},
    {DType::kQ4_0, "Q4_0", 32, 18},
    {DType::kQ4_1, "Q4_1", 32, 20},
    {DType::kQ5_0, "Q5_0", 32, 22},
    {DType::kQ5_1, "Q5_1", 32, 24},
    {DType::kIQ4_NL, "IQ4_NL", 32, 18},
    {DType::kQ2_K, "Q2_K", 256, 84},
    {DType::kQ3_K, "Q3_K", 256, 110},
    {DType::kQ4_K, "Q4_K", 256, 144},
    {DType::kQ5_K, "Q5_K", 256, 176},
    {DType::kQ6_K, "Q6_K", 256, 210},
    {DType::kIQ2_XXS, "IQ2_XXS", 256, 66},
    {DType::kIQ4_XS, "IQ4_XS", 256, 136},
};

}  // namespace

const DTypeInfo* find_dtype(uint32_t gguf_type) {
  for (const auto& info : kTypes) {
    if (static_cast<uint32_t>(info.dtype) == gguf_type) return &info;
  }
  return nullptr;
}

const DTypeInfo& dtype_info(DType dtype) {
  const auto* info = find_dtype(static_cast<uint32_t>(dtype));
  CHECK(info != nullptr, "unknown element type");
  return *info;
}

std::string supported_dtypes() {
  std::string names;
  for (const auto& info : kTypes) names += (names.empty() ? "" : ", ") + std::string(info.name);
  return names;
}

const char* kv_format_name(KvFormat format) { return format == KvFormat::kF32 ? "f32" : "bf16"; }

}  // namespace cachalot
