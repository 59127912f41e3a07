// libFuzzer target: any bytes as a safetensors file, and as the index of its shards.

#include "weights/safetensors.h"

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cachalot;
  try {
    volatile uint64_t sum = 0;  // so that the bytes are really read
    for (const auto& tensor : parse_safetensors({data, size}))
      sum = sum + tensor.tensor.data[0] + tensor.tensor.data[tensor.bytes() - 1];
  } catch (const Error&) {  // refused, as most are
  }
  try {
    for (const auto& [tensor, file] : parse_shard_index({data, size})) {
      if (file.find('/') != std::string::npos) __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
