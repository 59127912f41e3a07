// The shape of a model, read from a file's metadata and checked against its tensors.
#pragma once

#include <string>
#include <vector>

#include "weights/gguf.h"

namespace cachalot {

/** What may differ from layer to layer; one plan is made per distinct attention class. */
struct LayerConfig {
  int n_kv_heads;  // G
  int head_dim;    // D, of K and V
};

struct ModelConfig {
  std::string architecture;
  int context_length;
  int width;       // E
  int ffn_width;   // F
  int n_heads;     // H
  int vocabulary;  // V
  float norm_epsilon;
  float rope_base;
  int rope_dims;
  bool rope_interleaved;
  std::vector<LayerConfig> layers;

  int n_layers() const { return static_cast<int>(layers.size()); }
  int head_dim() const { return layers[0].head_dim; }
  int n_kv_heads() const { return layers[0].n_kv_heads; }
};

/** Throws unsupported_architecture, model_missing_key or model_bad_value. */
ModelConfig read_model_config(const GgufFile& file);

}  // namespace cachalot
