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
  const float number = value->number() == nullptr ? 0 : static_cast<float>(*value->number());
  if (!std::isnormal(number) || number < 0)
    bad_value(key, "a positive number that a float can hold");
  return number;
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
  if (json.find("model_type") == nullptr)
    throw Error(ErrorCode::kModelMissingKey, "'model_type' is missing in config.json");
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

/** How much YaRN sharpens attention: 0.1 m ln(factor) + 1. */
float yarn_magnitude(float factor, float multiplier) {
  return 0.1f * multiplier * std::log(std::max(factor, 1.0f)) + 1.0f;
}

float yarn_attention_factor(const JsonValue& scaling, float factor) {
  const bool both = scaling.find("mscale") != nullptr && scaling.find("mscale_all_dim") != nullptr;
  const float usual = both ? yarn_magnitude(factor, positive_or(scaling, "mscale", 1)) /
                                 yarn_magnitude(factor, positive_or(scaling, "mscale_all_dim", 1))
                           : yarn_magnitude(factor, 1);
  return positive_or(scaling, "attention_factor", usual);
}

std::vector<float> read_divisors(const JsonValue& scaling, const char* name, int rope_dims) {
  const JsonValue* found = scaling.find(name);
  const auto* list = found == nullptr ? nullptr : found->array();
  const std::string expected = std::to_string(rope_dims / 2) + " positive numbers";
  if (list == nullptr || std::ssize(*list) != rope_dims / 2) bad_value(name, expected);
  std::vector<float> divisors;
  for (const JsonValue& value : *list) {
    const auto number = value.number();
    if (!number || !std::isfinite(static_cast<float>(*number)) || *number <= 0)
      bad_value(name, expected);
    divisors.push_back(static_cast<float>(*number));
  }
  return divisors;
}

/** LongRoPE (Ding et al. 2024), as Phi-3's own code has it. */
void read_longrope(const JsonValue& scaling, int context_length, RopeConfig* rope) {
  rope->scaling = RopeScaling::kLongRope;
  rope->original_context =
      integer_or(scaling, "original_max_position_embeddings", kMaxContext, context_length);
  rope->short_divisors = read_divisors(scaling, "short_factor", rope->dims);
  rope->long_divisors = read_divisors(scaling, "long_factor", rope->dims);
  const float grown =
      static_cast<float>(context_length) / static_cast<float>(rope->original_context);
  const float factor = positive_or(scaling, "factor", grown);
  const float original = static_cast<float>(std::max(2, rope->original_context));
  const float usual = factor > 1 ? std::sqrt(1 + std::log(factor) / std::log(original)) : 1.0f;
  rope->attention_factor = positive_or(scaling, "attention_factor", usual);
}

/** `scaling` is "rope_scaling", or "rope_parameters" of newer files. */
void read_scaling(const JsonValue& scaling, int context_length, RopeConfig* rope) {
  for (const auto& [key, value] : *scaling.object()) {
    if (value.object() != nullptr)
      unsupported("rotary positions by kind of layer are not supported");
  }
  const std::string type = text_or(scaling, "rope_type", text_or(scaling, "type", ""));
  if (type.empty() && scaling.find("factor") != nullptr) bad_value("rope_scaling", "a 'rope_type'");
  if (type.empty() || type == "default") return;
  if (type == "longrope") return read_longrope(scaling, context_length, rope);
  if (type != "linear" && type != "llama3" && type != "yarn")
    unsupported("rotary scaling '" + type +
                "' is not supported; supported: linear, llama3, yarn, longrope");
  if (scaling.find("factor") == nullptr) bad_value("rope_scaling", "a 'factor'");
  rope->factor = positive_or(scaling, "factor", 1);
  rope->original_context =
      integer_or(scaling, "original_max_position_embeddings", kMaxContext, context_length);
  if (type == "linear") {
    rope->scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    rope->scaling = RopeScaling::kLlama3;
    rope->low_frequency_factor = positive_or(scaling, "low_freq_factor", 1);
    rope->high_frequency_factor = positive_or(scaling, "high_freq_factor", 4);
  } else {
    if (!flag_or(scaling, "truncate", true))
      unsupported("YaRN without 'truncate' is not supported");
    rope->scaling = RopeScaling::kYarn;
    rope->beta_fast = positive_or(scaling, "beta_fast", 32);
    rope->beta_slow = positive_or(scaling, "beta_slow", 1);
    rope->attention_factor = yarn_attention_factor(scaling, rope->factor);
  }
}

/** "rope_scaling", which users add by hand, comes before the section of newer files. */
const JsonValue* rope_section(const JsonValue& json) {
  for (const char* name : {"rope_scaling", "rope_parameters"}) {
    const JsonValue* section = json.find(name);
    if (section == nullptr) continue;
    if (section->object() == nullptr) bad_value(name, "an object");
    if (!section->object()->empty()) return section;
  }
  return nullptr;
}

RopeConfig read_rope(const JsonValue& json, int head_dim, int* context_length) {
  RopeConfig rope;
  const JsonValue none;
  const JsonValue* parameters = json.find("rope_parameters");
  const JsonValue& saved = parameters == nullptr ? none : *parameters;
  rope.base = positive_or(json, "rope_theta", positive_or(saved, "rope_theta", 10000.0f));
  const float part =
      positive_or(json, "partial_rotary_factor", positive_or(saved, "partial_rotary_factor", 1));
  if (part > 1) bad_value("partial_rotary_factor", "a number up to 1");
  rope.dims = static_cast<int>(static_cast<float>(head_dim) * part);
  if (const JsonValue* section = rope_section(json)) {
    rope.base = positive_or(*section, "rope_theta", rope.base);
    read_scaling(*section, *context_length, &rope);
  }
  // Users add YaRN to a model by hand and leave the length it was trained for.
  if (rope.scaling == RopeScaling::kYarn) {
    const double stretched = static_cast<double>(rope.factor) * rope.original_context;
    *context_length =
        std::max(*context_length, static_cast<int>(std::min<double>(stretched, kMaxContext)));
  }
  return rope;
}

// Defaults of the transformers library, where config.json says nothing.
constexpr int kUsualWindow = 4096;
constexpr int kUsualWindowLayers = 28;  // qwen: layers before it read everything

/** The first layer that has a window. */
int first_window_layer(const JsonValue& json) {
  const JsonValue* given = json.find("max_window_layers");
  const bool is_zero = given != nullptr && given->number() != nullptr && *given->number() == 0;
  return is_zero ? 0 : integer_or(json, "max_window_layers", kMaxDimension, kUsualWindowLayers);
}

bool slides(const JsonValue& type) {
  const std::string* name = type.text();
  if (name == nullptr || (*name != "sliding_attention" && *name != "full_attention"))
    unsupported("'layer_types' other than full_attention and sliding_attention are not supported");
  return *name == "sliding_attention";
}

/** Mistral: a window for all layers, unless it is null. Qwen: for none, or from some layer on. */
void read_windows(const JsonValue& json, ModelConfig* config) {
  const bool is_qwen = config->architecture.starts_with("qwen");
  const bool asks =
      is_qwen ? flag_or(json, "use_sliding_window", false) : config->architecture == "mistral";
  const bool is_null = json.has("sliding_window") && json.find("sliding_window") == nullptr;
  if (!asks || is_null) return;
  const int window = integer_or(json, "sliding_window", kMaxContext, kUsualWindow);
  const int first = is_qwen ? first_window_layer(json) : 0;
  const JsonValue* types = json.find("layer_types");
  const JsonArray* list = types == nullptr ? nullptr : types->array();
  if (types != nullptr && (list == nullptr || list->size() != config->layers.size()))
    bad_value("layer_types", "one for each layer");
  for (int i = 0; i < config->n_layers(); i++) {
    const auto index = static_cast<size_t>(i);
    const bool has_window = list == nullptr ? i >= first : slides((*list)[index]);
    config->layers[index].window = has_window ? window : 0;
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
