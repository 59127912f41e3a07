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

int ModelConfig::query_width() const { return n_heads * largest_head_dim(); }

int ModelConfig::key_width() const {
  int widest = 0;
  for (const auto& layer : layers) widest = std::max(widest, layer.n_kv_heads * layer.head_dim);
  return widest;
}

int ModelConfig::largest_head_dim() const {
  int size = 0;
  for (const auto& layer : layers) size = std::max(size, layer.head_dim);
  return size;
}

int ModelConfig::widest_window() const {
  int widest = 0;
  for (const auto& layer : layers) {
    if (layer.window == 0) return 0;
    widest = std::max(widest, layer.window);
  }
  return widest;
}

std::vector<LayerClass> ModelConfig::classes() const {
  std::vector<LayerClass> classes;
  const auto places = this->places();
  for (size_t i = 0; i < layers.size(); i++) {
    const auto& [n_kv_heads, head_dim, window] = layers[i];
    if (places[i].index == 0) classes.push_back({window, n_kv_heads, head_dim, 0});
    classes[static_cast<size_t>(places[i].layer_class)].n_layers++;
  }
  return classes;
}

std::vector<LayerPlace> ModelConfig::places() const {
  std::vector<LayerPlace> places;
  std::vector<std::pair<LayerConfig, int>> seen;  // each class's first layer, and its size
  for (const auto& layer : layers) {
    auto found = std::find_if(seen.begin(), seen.end(), [&](const auto& one) {
      const auto& [n_kv_heads, head_dim, window] = one.first;
      return n_kv_heads == layer.n_kv_heads && head_dim == layer.head_dim && window == layer.window;
    });
    if (found == seen.end()) found = seen.insert(seen.end(), {layer, 0});
    places.push_back({static_cast<int>(found - seen.begin()), found->second++});
  }
  return places;
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
