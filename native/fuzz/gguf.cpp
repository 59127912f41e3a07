// libFuzzer target: any bytes as a GGUF file, through the configuration. `npm run fuzz`.

#include "base/error.h"
#include "model/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cachalot;
  try {
    const GgufFile file = parse_gguf({data, size});
    TensorMap tensors;
    volatile uint64_t sum = 0;  // so that the bytes are really read
    for (const auto& tensor : file.tensors) {
      // The first and the last byte of each tensor.
      sum = sum + tensor.tensor.data[0] + tensor.tensor.data[tensor.bytes() - 1];
      tensors.emplace(tensor.name, tensor);
    }
    const ModelConfig config = read_gguf_config(file, tensors);
    for (const double frequency : rope_frequencies(config.rope)) sum = sum + (frequency > 0);
  } catch (const Error&) {  // refused, as most are
  }
  return 0;
}
