#include "model/config.h"

#include <algorithm>

#include "base/error.h"

namespace cachalot {

namespace {

constexpr int kMaxHeadDim = 512;

void require(bool holds, const std::string& expected) {
  if (!holds)
    throw Error(ErrorCode::kModelBadValue,
                "the model's configuration is not usable: expected " + expected);
}

}  // namespace

std::vector<int> ModelConfig::windows() const {
  std::vector<int> distinct;
  for (const auto& layer : layers) {
    if (std::find(distinct.begin(), distinct.end(), layer.window) == distinct.end())
      distinct.push_back(layer.window);
  }
  return distinct;
}

void check_config(ModelConfig* config, int n_kv_heads, int head_dim, int n_layers,
                  const TensorMap& tensors) {
  require(n_kv_heads >= 1 && config->n_heads % n_kv_heads == 0,
          "a number of KV heads that divides the " + std::to_string(config->n_heads) + " heads");
  require(head_dim >= 2 && head_dim % 2 == 0 && head_dim <= kMaxHeadDim,
          "an even head size from 2 to 512, not " + std::to_string(head_dim));
  const RopeConfig& rope = config->rope;
  require(rope.dims >= 2 && rope.dims % 2 == 0 && rope.dims <= head_dim,
          "an even number of rotated dimensions up to the head size");
  require(rope.scaling != RopeScaling::kLlama3 ||
              rope.high_frequency_factor > rope.low_frequency_factor,
          "a high frequency factor above the low one");
  require(rope.scaling != RopeScaling::kYarn || rope.base > 1.0f, "a rotary base above 1");
  config->layers.assign(static_cast<size_t>(n_layers), LayerConfig{n_kv_heads, head_dim});
  const auto embedding = tensors.find("token_embd.weight");
  if (embedding == tensors.end())
    throw Error(ErrorCode::kModelMissingTensor, "tensor 'token_embd.weight' is missing");
  require(embedding->second.tensor.n_rows <= INT32_MAX / 2, "a vocabulary below 2^30");
  config->vocabulary = static_cast<int>(embedding->second.tensor.n_rows);
}

}  // namespace cachalot
