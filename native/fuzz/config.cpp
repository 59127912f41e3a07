// libFuzzer target: any bytes as a config.json.

#include "model/config.h"

#include <cmath>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cachalot;
  static const float kRow[8] = {};
  StoredTensor embedding;
  embedding.name = "token_embd.weight";
  embedding.shape = {8, 1};
  embedding.tensor = {reinterpret_cast<const uint8_t*>(kRow), DType::kF32, 1, 8};
  const TensorMap tensors{{embedding.name, embedding}};
  try {
    const ModelConfig config = read_hub_config(parse_json({data, size}), tensors);
    // A configuration that has passed the checks can be computed with.
    for (const LayerConfig& layer : config.layers) {
      if (config.n_heads % layer.n_kv_heads != 0 || config.rope.dims > layer.head_dim)
        __builtin_trap();
    }
    for (const double frequency : rope_frequencies(config.rope)) {
      if (!std::isfinite(frequency)) __builtin_trap();
    }
  } catch (const Error&) {  // refused, as most are
  }
  return 0;
}
