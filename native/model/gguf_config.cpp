// The configuration of a GGUF file: "ARCHITECTURE.name" keys of its metadata.

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/config.h"

namespace cachalot {

namespace {

[[noreturn]] void bad_value(const std::string& key, const std::string& expected) {
  throw Error(ErrorCode::kModelBadValue,
              "metadata '" + key + "' is not usable: expected " + expected);
}

/** Reads "ARCHITECTURE.name" keys. */
class KeyReader {
 public:
  KeyReader(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  int integer(const std::string& name, int64_t max) const {
    const std::string key = prefix_ + name;
    const GgufValue* value = file_.find(key);
    if (value == nullptr)
      throw Error(ErrorCode::kModelMissingKey, "metadata '" + key + "' is missing");
    return checked(key, *value, max);
  }

  int integer_or(const std::string& name, int64_t max, int otherwise) const {
    const GgufValue* value = file_.find(prefix_ + name);
    return value == nullptr ? otherwise : checked(prefix_ + name, *value, max);
  }

  float positive(const std::string& name) const {
    const GgufValue* value = file_.find(prefix_ + name);
    if (value == nullptr)
      throw Error(ErrorCode::kModelMissingKey, "metadata '" + prefix_ + name + "' is missing");
    return checked_positive(name, *value);
  }

  float positive_or(const std::string& name, float otherwise) const {
    const GgufValue* value = file_.find(prefix_ + name);
    return value == nullptr ? otherwise : checked_positive(name, *value);
  }

  std::string text_or(const std::string& name, const std::string& otherwise) const {
    const GgufValue* value = file_.find(prefix_ + name);
    if (value == nullptr) return otherwise;
    const auto* text = std::get_if<std::string>(value);
    if (text == nullptr) bad_value(prefix_ + name, "a string");
    return *text;
  }

  bool has(const std::string& name) const { return file_.find(prefix_ + name) != nullptr; }

 private:
  static int checked(const std::string& key, const GgufValue& value, int64_t max) {
    int64_t number = -1;
    if (const auto* u = std::get_if<uint64_t>(&value))
      number = *u > static_cast<uint64_t>(max) ? -1 : static_cast<int64_t>(*u);
    if (const auto* i = std::get_if<int64_t>(&value)) number = *i;
    if (number < 1 || number > max) bad_value(key, "an integer from 1 to " + std::to_string(max));
    return static_cast<int>(number);
  }

  float checked_positive(const std::string& name, const GgufValue& value) const {
    const auto* number = std::get_if<double>(&value);
    const float positive = number == nullptr ? 0 : static_cast<float>(*number);
    if (!std::isnormal(positive) || positive < 0)
      bad_value(prefix_ + name, "a positive number that a float can hold");
    return positive;
  }

  const GgufFile& file_;
  std::string prefix_;
};

std::string read_architecture(const GgufFile& file) {
  const GgufValue* value = file.find("general.architecture");
  if (value == nullptr)
    throw Error(ErrorCode::kModelMissingKey, "metadata 'general.architecture' is missing");
  const auto* name = std::get_if<std::string>(value);
  if (name == nullptr) bad_value("general.architecture", "a string");
  if (*name != "llama" && *name != "qwen2" && *name != "qwen3") {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "model architecture '" + *name +
                    "' is not supported; supported in GGUF files: llama (Mistral and SmolLM2 "
                    "included), qwen2, qwen3");
  }
  return *name;
}

/** Refuses keys that we would ignore, and so compute another model. */
void refuse_unsupported_keys(const KeyReader& keys, const std::string& architecture) {
  for (const char* name : {"expert_count", "attention.sliding_window_pattern"}) {
    if (keys.has(name)) {
      throw Error(ErrorCode::kUnsupportedArchitecture, "this " + architecture + " model uses '" +
                                                           name + "', which is not supported yet");
    }
  }
}

/** What frequencies are divided by, as the converter has worked it out (Llama 3), or as the model
 * was trained (LongRoPE). Empty if there is no such tensor. */
std::vector<float> read_divisors(const TensorMap& tensors, int rope_dims, const char* name) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return {};
  const Tensor& tensor = found->second.tensor;
  if (tensor.dtype != DType::kF32 || tensor.n_rows != 1 || tensor.n_cols != rope_dims / 2)
    bad_value(name, std::to_string(rope_dims / 2) + " numbers of type F32");
  std::vector<float> divisors(static_cast<size_t>(tensor.n_cols));
  found->second.read(
      {reinterpret_cast<uint8_t*>(divisors.data()), divisors.size() * sizeof(float)});
  for (const float divisor : divisors) {
    if (!std::isfinite(divisor) || divisor <= 0) bad_value(name, "positive numbers only");
  }
  return divisors;
}

RopeScaling read_scaling(const KeyReader& keys) {
  const std::string name = keys.text_or("rope.scaling.type", "");
  // Older files give the factor alone, under either name.
  if (name.empty())
    return keys.has("rope.scaling.factor") || keys.has("rope.scale_linear") ? RopeScaling::kLinear
                                                                            : RopeScaling::kNone;
  if (name == "none") return RopeScaling::kNone;
  if (name == "linear") return RopeScaling::kLinear;
  if (name == "yarn") return RopeScaling::kYarn;
  if (name == "longrope") return RopeScaling::kLongRope;
  throw Error(
      ErrorCode::kUnsupportedArchitecture,
      "rotary scaling '" + name + "' is not supported; supported: none, linear, yarn, longrope");
}

RopeConfig read_rope(const KeyReader& keys, const TensorMap& tensors, int head_dim,
                     int context_length) {
  RopeConfig rope;
  rope.base = keys.positive_or("rope.freq_base", 10000.0f);
  rope.dims = keys.integer_or("rope.dimension_count", head_dim, head_dim);
  rope.scaling = read_scaling(keys);
  if (rope.scaling != RopeScaling::kNone)
    rope.factor = keys.positive_or("rope.scaling.factor", keys.positive_or("rope.scale_linear", 1));
  if (rope.scaling == RopeScaling::kYarn) {
    rope.original_context =
        keys.integer_or("rope.scaling.original_context_length", kMaxContext, context_length);
    rope.beta_fast = keys.positive_or("rope.scaling.yarn_beta_fast", 32);
    rope.beta_slow = keys.positive_or("rope.scaling.yarn_beta_slow", 1);
    rope.attention_factor = keys.positive_or("rope.scaling.attn_factor", 1) *
                            (0.1f * std::log(std::max(rope.factor, 1.0f)) + 1.0f);
  }
  rope.divisors = read_divisors(tensors, rope.dims, "rope_freqs.weight");
  if (rope.scaling == RopeScaling::kLongRope) {
    rope.original_context = keys.integer("rope.scaling.original_context_length", kMaxContext);
    rope.attention_factor = keys.positive_or("rope.scaling.attn_factor", 1);
    rope.short_divisors = read_divisors(tensors, rope.dims, "rope_factors_short.weight");
    rope.long_divisors = read_divisors(tensors, rope.dims, "rope_factors_long.weight");
    if (rope.short_divisors.empty() || rope.long_divisors.empty())
      throw Error(ErrorCode::kModelMissingTensor,
                  "tensors 'rope_factors_short.weight' and 'rope_factors_long.weight' are missing, "
                  "which the rotary scaling 'longrope' needs");
  }
  return rope;
}

}  // namespace

ModelConfig read_gguf_config(const GgufFile& file, const TensorMap& tensors) {
  ModelConfig config;
  config.architecture = read_architecture(file);
  const KeyReader keys(file, config.architecture + ".");
  refuse_unsupported_keys(keys, config.architecture);
  config.context_length = keys.integer("context_length", kMaxContext);
  config.width = keys.integer("embedding_length", kMaxDimension);
  config.ffn_width = keys.integer("feed_forward_length", kMaxDimension);
  config.n_heads = keys.integer("attention.head_count", kMaxDimension);
  const int n_layers = keys.integer("block_count", kMaxLayers);
  const int n_kv_heads = keys.integer_or("attention.head_count_kv", kMaxDimension, config.n_heads);
  const int head_dim =
      keys.integer_or("attention.key_length", kMaxDimension, config.width / config.n_heads);
  if (keys.integer_or("attention.value_length", kMaxDimension, head_dim) != head_dim) {
    bad_value(config.architecture + ".attention.value_length", "the same head size as for keys");
  }
  config.norm_epsilon = keys.positive("attention.layer_norm_rms_epsilon");
  config.rope = read_rope(keys, tensors, head_dim, config.context_length);
  // The converter permutes the rows of Q and K for it in llama files, and in no others.
  config.rope.interleaved = config.architecture == "llama";
  config.qkv_bias = config.architecture == "qwen2" || tensors.contains("blk.0.attn_q.bias");
  config.output_bias = tensors.contains("blk.0.attn_output.bias");
  config.qk_norm = config.architecture == "qwen3";
  check_config(&config, n_kv_heads, head_dim, n_layers, tensors);
  const int window = keys.integer_or("attention.sliding_window", kMaxContext, 0);
  for (auto& layer : config.layers) layer.window = window;
  return config;
}

}  // namespace cachalot
