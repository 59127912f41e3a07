#include "model/decoder_weights.h"

#include <set>
#include <string>

#include "backend/block_codes.h"
#include "base/error.h"

namespace cachalot {

namespace {

/** Tensors that were read with the configuration. */
std::set<std::string> rope_tensors(const RopeConfig& rope) {
  std::set<std::string> names{"rope_freqs.weight"};
  if (!rope.short_divisors.empty()) {
    names.insert("rope_factors_short.weight");
    names.insert("rope_factors_long.weight");
  }
  return names;
}

using OnProgress = std::function<void(uint64_t, uint64_t)>;

class Loader {
 public:
  Loader(const TensorMap& tensors, const ModelConfig& config, Backend& backend,
         std::shared_ptr<const LayoutFile> layout, const OnProgress& on_progress)
      : tensors_(tensors),
        config_(config),
        backend_(backend),
        on_progress_(on_progress),
        reader_(tensors, backend),
        used_(rope_tensors(config.rope)) {
    weights_.layout = std::move(layout);
    for (const auto& [name, stored] : tensors)
      if (!used_.contains(name)) total_bytes_ += stored.tensor.bytes();
  }

  DecoderWeights load() {
    const ModelConfig& c = config_;
    const StoredTensor& embedding = tensor("token_embd.weight", c.vocabulary, c.width);
    weights_.output_norm = vector("output_norm.weight", c.width);
    const bool tied = !tensors_.contains("output.weight");
    weights_.output = projection(tied ? "token_embd" : "output", c.vocabulary, c.width, false);
    const Weight* same = tied ? weights_.output.weight.get() : nullptr;
    const bool is_there =
        tied && !backend_.reads_in_place(embedding.tensor.dtype, WeightUse::kTable);
    weights_.embedding = backend_.prepare_table(
        is_there ? embedding.tensor : reader_.read(embedding, WeightUse::kTable), same);
    if (!tied) advance(embedding);
    for (int i = 0; i < c.n_layers(); i++) load_layer(i);
    refuse_unused();
    reader_.check_all();  // a file that changed meanwhile may have given bytes of two models
    weights_.floats = std::move(reader_.kept());
    weights_.files = std::move(reader_.watched());
    return std::move(weights_);
  }

 private:
  void load_layer(int index) {
    const ModelConfig& c = config_;
    const auto& [n_kv_heads, head_dim, window] = c.layers[static_cast<size_t>(index)];
    const std::string block = "blk." + std::to_string(index) + ".";
    const int64_t q_width = int64_t{c.n_heads} * head_dim,
                  kv_width = int64_t{n_kv_heads} * head_dim;
    DecoderLayer layer;
    layer.attention_norm = vector(block + "attn_norm.weight", c.width);
    layer.q = projection(block + "attn_q", q_width, c.width, c.qkv_bias);
    layer.k = projection(block + "attn_k", kv_width, c.width, c.qkv_bias);
    layer.v = projection(block + "attn_v", kv_width, c.width, c.qkv_bias);
    if (c.qk_norm) {
      layer.q_norm = vector(block + "attn_q_norm.weight", head_dim);
      layer.k_norm = vector(block + "attn_k_norm.weight", head_dim);
    }
    layer.o = projection(block + "attn_output", c.width, q_width, c.output_bias);
    layer.ffn_norm = vector(block + "ffn_norm.weight", c.width);
    layer.gate = projection(block + "ffn_gate", c.ffn_width, c.width, false);
    layer.up = projection(block + "ffn_up", c.ffn_width, c.width, false);
    layer.down = projection(block + "ffn_down", c.width, c.ffn_width, false);
    weights_.layers.push_back(std::move(layer));
  }

  const StoredTensor& tensor(const std::string& name, int64_t n_rows, int64_t n_cols) {
    used_.insert(name);
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
      throw Error(ErrorCode::kModelMissingTensor, "tensor '" + name + "' is missing");
    const Tensor& stored = found->second.tensor;
    if (stored.n_rows != n_rows || stored.n_cols != n_cols) {
      throw Error(ErrorCode::kModelBadShape,
                  "tensor '" + name + "' is " + std::to_string(stored.n_rows) + " x " +
                      std::to_string(stored.n_cols) + "; the metadata says " +
                      std::to_string(n_rows) + " x " + std::to_string(n_cols));
    }
    return found->second;
  }

  Projection projection(const std::string& name, int64_t n_outputs, int64_t n_inputs, bool biased) {
    const StoredTensor& stored = tensor(name + ".weight", n_outputs, n_inputs);
    const auto before = weights_.layout == nullptr
                            ? std::span<const uint8_t>()
                            : weights_.layout->find(stored.name, stored.tensor);
    const Tensor source = before.empty() ? reader_.read(stored, WeightUse::kLinear) : stored.tensor;
    Projection result{backend_.prepare_weight(source, before), nullptr};
    advance(stored);
    const auto packed = result.weight->packed();
    if (!packed.empty())
      weights_.packed.push_back({stored.name, stored.tensor.dtype, n_outputs, n_inputs, packed});
    if (biased) result.bias = vector(name + ".bias", n_outputs);
    return result;
  }

  void advance(const StoredTensor& stored) {
    ready_bytes_ += stored.tensor.bytes();
    on_progress_(static_cast<uint64_t>(ready_bytes_), static_cast<uint64_t>(total_bytes_));
  }

  /** A row of numbers in f32, whatever the file holds. */
  const float* vector(const std::string& name, int64_t n) {
    const StoredTensor& stored = tensor(name, 1, n);
    weights_.vectors.push_back(backend_.allocate(static_cast<size_t>(n) * sizeof(float)));
    std::vector<uint8_t> bytes(stored.bytes());
    stored.read(bytes);
    std::vector<float> values(static_cast<size_t>(n));
    dequantize_row(stored.tensor.dtype, bytes.data(), n, values.data());
    weights_.vectors.back()->write(0, values);
    advance(stored);
    return weights_.vectors.back()->floats();
  }

  /** Ignoring a tensor, for example a bias, would silently compute another model. */
  void refuse_unused() const {
    for (const auto& [name, stored] : tensors_) {
      if (used_.contains(name)) continue;
      throw Error(ErrorCode::kUnsupportedArchitecture, "this " + config_.architecture +
                                                           " model has a tensor '" + name +
                                                           "', which is not supported yet");
    }
  }

  const TensorMap& tensors_;
  const ModelConfig& config_;
  Backend& backend_;
  const OnProgress& on_progress_;
  TensorReader reader_;
  int64_t total_bytes_ = 0, ready_bytes_ = 0;
  std::set<std::string> used_;
  DecoderWeights weights_;
};

}  // namespace

DecoderWeights load_decoder_weights(
    const TensorMap& tensors, const ModelConfig& config, Backend& backend,
    std::shared_ptr<const LayoutFile> layout,
    const std::function<void(uint64_t bytes, uint64_t total_bytes)>& on_progress) {
  return Loader(tensors, config, backend, std::move(layout), on_progress).load();
}

void DecoderWeights::check_files() const {
  files.check();
  if (layout != nullptr && layout->is_resized()) {
    throw Error(ErrorCode::kModelChanged,
                "'" + layout->path() + "', where packed weights are kept, was cut off");
  }
}

int64_t DecoderWeights::resident_bytes() const {
  int64_t bytes = output.weight->resident_bytes();
  for (const auto& layer : layers) {
    for (const auto* projection :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      bytes += projection->weight->resident_bytes();
    }
  }
  return bytes;
}

}  // namespace cachalot
