// The shape of a model, read from a file's metadata and checked against its tensors.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/rope.h"
#include "weights/gguf.h"

namespace cachalot {

/** The numbers that may differ between layers. */
struct LayerConfig {
  int n_kv_heads;  // G
  int head_dim;    // D, of K and V
  int window = 0;  // the tokens that one reads, itself included (Mistral); 0: all before it
};

/** Layers that read the same keys of every context, in blocks of one shape. */
struct LayerClass {
  int window;
  int n_kv_heads, head_dim;
  int n_layers;
};
/** Layer `index` of a class. */
struct LayerPlace {
  int layer_class, index;
};

struct ModelConfig {
  std::string architecture;
  int context_length;
  int width;       // E
  int ffn_width;   // F
  int n_heads;     // H
  int vocabulary;  // V
  float norm_epsilon;
  RopeConfig rope;
  bool qkv_bias = false;     // qwen2
  bool output_bias = false;  // of the attention's output: llama files with "attention_bias"
  bool qk_norm = false;      // qwen3
  std::vector<LayerConfig> layers;

  int n_layers() const { return static_cast<int>(layers.size()); }
  /** The widest of its layers' queries, H D, and keys, G D. */
  int query_width() const;
  int key_width() const;
  int largest_head_dim() const;
  /** The most positions that any layer reads; 0 if one reads everything. */
  int widest_window() const;
  /** The classes of its layers, in the order of their first layers: one attention plan is made for
   * each. */
  std::vector<LayerClass> classes() const;
  /** The class of each layer, and its place there. */
  std::vector<LayerPlace> places() const;
};

/** From GGUF metadata. Throws unsupported_architecture, model_missing_key or model_bad_value. */
ModelConfig read_gguf_config(const GgufFile& file, const TensorMap& tensors);

/** From a Hugging Face config.json, with tensors under their GGUF names. Throws the same. */
ModelConfig read_hub_config(const JsonValue& json, const TensorMap& tensors);

/** The rules that both share: head counts divide, sizes are even, numbers are sane. */
void check_config(ModelConfig* config, int n_kv_heads, int head_dim, int n_layers,
                  const TensorMap& tensors);

// Larger than any model we know by a factor of eight or more; a number beyond is a mistake.
constexpr int64_t kMaxDimension = 1 << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxContext = 1 << 24;

}  // namespace cachalot
