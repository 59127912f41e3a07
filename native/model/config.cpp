#include "model/config.h"

#include <cmath>

#include "base/error.h"

namespace cachalot {

namespace {

// Larger than any model we know by a factor of eight or more; a number beyond is a mistake in the
// file.
constexpr int64_t kMaxDimension = 1 << 20;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxHeadDim = 512;

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
    if (number == nullptr || !std::isfinite(*number) || *number <= 0)
      bad_value(prefix_ + name, "a positive number");
    return static_cast<float>(*number);
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
  if (*name != "llama") {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "model architecture '" + *name + "' is not supported; supported: llama");
  }
  return *name;
}

/** Whether the file asks for scaled rotary positions. */
bool scales_rope(const GgufFile& file, const std::string& prefix) {
  const GgufValue* type = file.find(prefix + "rope.scaling.type");
  const auto* name = type == nullptr ? nullptr : std::get_if<std::string>(type);
  return type != nullptr && (name == nullptr || *name != "none");
}

/** Refuses what would silently compute something else. */
void refuse_unsupported_keys(const KeyReader& keys) {
  for (const char* name :
       {"rope.scaling.factor", "rope.scale_linear", "expert_count", "attention.sliding_window"}) {
    if (keys.has(name)) {
      throw Error(ErrorCode::kUnsupportedArchitecture,
                  std::string("this llama model uses '") + name + "', which is not supported yet");
    }
  }
}

}  // namespace

ModelConfig read_model_config(const GgufFile& file) {
  ModelConfig config;
  config.architecture = read_architecture(file);
  const KeyReader keys(file, config.architecture + ".");
  refuse_unsupported_keys(keys);
  if (scales_rope(file, config.architecture + ".")) {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "this llama model scales its rotary positions, which is not supported yet");
  }
  config.context_length = keys.integer("context_length", int64_t{1} << 24);
  config.width = keys.integer("embedding_length", kMaxDimension);
  config.ffn_width = keys.integer("feed_forward_length", kMaxDimension);
  config.n_heads = keys.integer("attention.head_count", kMaxDimension);
  const int n_layers = keys.integer("block_count", kMaxLayers);
  const int n_kv_heads = keys.integer_or("attention.head_count_kv", kMaxDimension, config.n_heads);
  const int head_dim =
      keys.integer_or("attention.key_length", kMaxHeadDim, config.width / config.n_heads);
  if (config.n_heads % n_kv_heads != 0) {
    bad_value(config.architecture + ".attention.head_count_kv",
              "a divisor of attention.head_count");
  }
  if (head_dim < 2 || head_dim % 2 != 0 || head_dim > kMaxHeadDim) {
    bad_value(config.architecture + ".attention.key_length", "an even head size from 2 to 512");
  }
  if (keys.integer_or("attention.value_length", kMaxHeadDim, head_dim) != head_dim) {
    bad_value(config.architecture + ".attention.value_length", "the same head size as for keys");
  }
  config.norm_epsilon = keys.positive("attention.layer_norm_rms_epsilon");
  config.rope_base = keys.positive_or("rope.freq_base", 10000.0f);
  config.rope_dims = keys.integer_or("rope.dimension_count", head_dim, head_dim);
  if (config.rope_dims % 2 != 0)
    bad_value(config.architecture + ".rope.dimension_count", "an even number");
  config.rope_interleaved = true;  // GGUF's llama files have their Q and K rows permuted for it
  config.layers.assign(static_cast<size_t>(n_layers), LayerConfig{n_kv_heads, head_dim});
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr)
    throw Error(ErrorCode::kModelMissingTensor, "tensor 'token_embd.weight' is missing");
  if (embedding->tensor.n_rows > INT32_MAX / 2)
    bad_value("token_embd.weight", "a vocabulary below 2^30");
  config.vocabulary = static_cast<int>(embedding->tensor.n_rows);
  return config;
}

}  // namespace cachalot
