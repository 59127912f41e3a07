// The configuration of a Hugging Face folder: config.json of the llama, mistral, qwen2 and qwen3
// families.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/config.h"

namespace cachalot {

namespace {

[[noreturn]] void bad_value(const std::string& key, const std::string& expected) {
  throw Error(ErrorCode::kModelBadValue,
              "'" + key + "' in config.json is not usable: expected " + expected);
}

[[noreturn]] void unsupported(const std::string& what) {
  throw Error(ErrorCode::kUnsupportedArchitecture, what);
}

int integer_or(const JsonValue& json, const std::string& key, int64_t max, int otherwise) {
  const JsonValue* value = json.find(key);
  if (value == nullptr) return otherwise;
  const double* number = value->number();
  if (number == nullptr || *number < 1 || *number > static_cast<double>(max) ||
      std::floor(*number) != *number) {
    bad_value(key, "an integer from 1 to " + std::to_string(max));
  }
  return static_cast<int>(*number);
}

int integer(const JsonValue& json, const std::string& key, int64_t max) {
  if (json.find(key) == nullptr)
    throw Error(ErrorCode::kModelMissingKey, "'" + key + "' is missing in config.json");
  return integer_or(json, key, max, 0);
}

float positive_or(const JsonValue& json, const std::string& key, float otherwise) {
  const JsonValue* value = json.find(key);
  if (value == nullptr) return otherwise;
  const double* number = value->number();
  if (number == nullptr || !(*number > 0) || *number > 1e30) bad_value(key, "a positive number");
  return static_cast<float>(*number);
}

bool flag_or(const JsonValue& json, const std::string& key, bool otherwise) {
  const JsonValue* value = json.find(key);
  if (value == nullptr) return otherwise;
  if (value->boolean() == nullptr) bad_value(key, "true or false");
  return *value->boolean();
}

std::string text_or(const JsonValue& json, const std::string& key, const std::string& otherwise) {
  const JsonValue* value = json.find(key);
  if (value == nullptr) return otherwise;
  if (value->text() == nullptr) bad_value(key, "a string");
  return *value->text();
}

std::string read_architecture(const JsonValue& json) {
  const std::string name = text_or(json, "model_type", "");
  if (name != "llama" && name != "mistral" && name != "qwen2" && name != "qwen3") {
    unsupported("model type '" + name +
                "' is not supported; supported in Hugging Face folders: llama, mistral, qwen2, "
                "qwen3");
  }
  const std::string activation = text_or(json, "hidden_act", "silu");
  if (activation != "silu")
    unsupported("activation '" + activation + "' is not supported; silu is");
  if (flag_or(json, "mlp_bias", false)) unsupported("'mlp_bias' is not supported yet");
  return name;
}

/** `scaling` is "rope_scaling", or "rope_parameters" of newer files. */
void read_scaling(const JsonValue& scaling, int context_length, RopeConfig* rope) {
  const std::string type = text_or(scaling, "rope_type", text_or(scaling, "type", "default"));
  if (type == "default") return;
  rope->factor = positive_or(scaling, "factor", 1);
  rope->original_context =
      integer_or(scaling, "original_max_position_embeddings", kMaxContext, context_length);
  if (type == "linear") {
    rope->scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    rope->scaling = RopeScaling::kLlama3;
    rope->low_frequency_factor = positive_or(scaling, "low_freq_factor", 1);
    rope->high_frequency_factor = positive_or(scaling, "high_freq_factor", 4);
  } else if (type == "yarn") {
    rope->scaling = RopeScaling::kYarn;
    rope->beta_fast = positive_or(scaling, "beta_fast", 32);
    rope->beta_slow = positive_or(scaling, "beta_slow", 1);
    rope->attention_factor = positive_or(scaling, "attention_factor",
                                         0.1f * std::log(std::max(rope->factor, 1.0f)) + 1.0f);
  } else {
    unsupported("rotary scaling '" + type + "' is not supported; supported: linear, llama3, yarn");
  }
}

RopeConfig read_rope(const JsonValue& json, int head_dim, int* context_length) {
  RopeConfig rope;
  const JsonValue* parameters = json.find("rope_parameters");
  const JsonValue* scaling = parameters != nullptr ? parameters : json.find("rope_scaling");
  rope.base = positive_or(json, "rope_theta", 10000.0f);
  rope.dims = static_cast<int>(static_cast<float>(head_dim) *
                               positive_or(json, "partial_rotary_factor", 1));
  if (scaling != nullptr) {
    rope.base = positive_or(*scaling, "rope_theta", rope.base);
    read_scaling(*scaling, *context_length, &rope);
  }
  // Users add YaRN to a model by hand and leave the length it was trained for.
  if (rope.scaling == RopeScaling::kYarn) {
    const double stretched = static_cast<double>(rope.factor) * rope.original_context;
    *context_length =
        std::max(*context_length, static_cast<int>(std::min<double>(stretched, kMaxContext)));
  }
  return rope;
}

/** Mistral: a window for all layers. Qwen: for none, or from layer max_window_layers on. */
void read_windows(const JsonValue& json, ModelConfig* config) {
  const bool asks = flag_or(json, "use_sliding_window", config->architecture == "mistral");
  const int window = asks ? integer_or(json, "sliding_window", kMaxContext, 0) : 0;
  if (window == 0) return;
  const JsonValue* types = json.find("layer_types");
  const JsonArray* list = types == nullptr ? nullptr : types->array();
  if (list != nullptr && list->size() != config->layers.size())
    bad_value("layer_types", "one for each layer");
  const bool is_qwen = config->architecture.starts_with("qwen");
  const int first = is_qwen ? integer_or(json, "max_window_layers", kMaxLayers, 0) : 0;
  for (int i = 0; i < config->n_layers(); i++) {
    const std::string* type = list == nullptr ? nullptr : (*list)[static_cast<size_t>(i)].text();
    const bool slides = type == nullptr ? i >= first : *type == "sliding_attention";
    config->layers[static_cast<size_t>(i)].window = slides ? window : 0;
  }
}

}  // namespace

ModelConfig read_hub_config(const JsonValue& json, const TensorMap& tensors) {
  ModelConfig config;
  config.architecture = read_architecture(json);
  config.context_length = integer(json, "max_position_embeddings", kMaxContext);
  config.width = integer(json, "hidden_size", kMaxDimension);
  config.ffn_width = integer(json, "intermediate_size", kMaxDimension);
  config.n_heads = integer(json, "num_attention_heads", kMaxDimension);
  const int n_layers = integer(json, "num_hidden_layers", kMaxLayers);
  const int n_kv_heads = integer_or(json, "num_key_value_heads", kMaxDimension, config.n_heads);
  const int head_dim = integer_or(json, "head_dim", kMaxDimension, config.width / config.n_heads);
  config.norm_epsilon = positive_or(json, "rms_norm_eps", 1e-6f);
  config.rope = read_rope(json, head_dim, &config.context_length);
  const bool biased = flag_or(json, "attention_bias", false);
  config.qkv_bias = config.architecture == "qwen2" || biased;
  config.output_bias = config.architecture != "qwen2" && biased;
  config.qk_norm = config.architecture == "qwen3";
  check_config(&config, n_kv_heads, head_dim, n_layers, tensors);
  read_windows(json, &config);
  return config;
}

}  // namespace cachalot
