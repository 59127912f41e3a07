#include "model/llama.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr int kAngleStep = 1024;  // positions by which the table of angles grows

}  // namespace

ForwardOutput Llama::forward(const ForwardInput& input, const KvStore& store) {
  const auto n_rows = static_cast<int32_t>(input.tokens.size());
  const ModelConfig& c = config_;
  CHECK(n_rows <= max_rows_, "a step has at most max_rows rows");
  extend_rope(input.targets);
  backend_.gather_rows({embedding_, input.tokens.data(), n_rows, a_.x});

  const float* delta = nullptr;  // what the last block adds to the residual stream x
  for (int i = 0; i < c.n_layers(); i++) {
    const Layer& layer = layers_[static_cast<size_t>(i)];

    // x += delta;  attended = attention(norm(x));  delta = attended Wo^T
    backend_.rms_norm(
        {a_.x, delta, layer.attention_norm, c.norm_epsilon, n_rows, c.width, a_.normed});
    backend_.linear(
        {a_.normed, n_rows,
         std::array{LinearOutput{layer.q.get(), a_.q}, LinearOutput{layer.k.get(), a_.k},
                    LinearOutput{layer.v.get(), a_.v}}});
    attend(i, input, store);
    backend_.linear({a_.attended, n_rows, std::array{LinearOutput{layer.o.get(), a_.delta}}});
    delta = a_.delta;

    // x += delta;  delta = (silu(norm(x) Wgate^T) * (norm(x) Wup^T)) Wdown^T
    backend_.rms_norm({a_.x, delta, layer.ffn_norm, c.norm_epsilon, n_rows, c.width, a_.normed});
    backend_.linear(
        {a_.normed, n_rows,
         std::array{LinearOutput{layer.gate.get(), a_.gate}, LinearOutput{layer.up.get(), a_.up}}});
    backend_.silu_mul({a_.gate, a_.up, n_rows, c.ffn_width, a_.gate});
    backend_.linear({a_.gate, n_rows, std::array{LinearOutput{layer.down.get(), a_.delta}}});
  }

  check_rows(n_rows);

  // logits = norm(x + delta) Woutput^T, for the rows that need them
  const auto n_outputs = static_cast<int32_t>(input.output_rows.size());
  const ForwardOutput output{a_.logits, finite_};
  if (n_outputs == 0) return output;
  select_outputs(input.output_rows);
  backend_.rms_norm(
      {a_.last, a_.last_delta, output_norm_, c.norm_epsilon, n_outputs, c.width, a_.last});
  backend_.linear({a_.last, n_outputs, std::array{LinearOutput{output_.get(), a_.logits}}});
  return output;
}

/** attended = softmax(q K^T / sqrt(D)) V over what the plan lets each row read, its own token
 * included. */
void Llama::attend(int layer, const ForwardInput& input, const KvStore& store) {
  const ModelConfig& c = config_;
  const int64_t partial_bytes =
      int64_t{input.plan->n_partials} * c.n_heads * (c.head_dim() + 2) * 4;
  if (partials_ == nullptr || partials_->size() < static_cast<size_t>(partial_bytes)) {
    partials_ = backend_.allocate(static_cast<size_t>(2 * partial_bytes));
  }
  backend_.kv_write({store, rope_, layer, a_.k, a_.v, input.targets});
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim()));
  backend_.attention(
      {store, rope_, layer, c.n_heads, scale, a_.q, input.plan, partials_->floats()});
  backend_.attention_merge({input.plan, partials_->floats(),
                            static_cast<int32_t>(input.tokens.size()), c.n_heads, c.head_dim(),
                            a_.attended});
}

// A damaged weight or an overflow shows in the residual stream of every row it reached.
void Llama::check_rows(int32_t n_rows) {
  finite_.resize(static_cast<size_t>(n_rows));
  backend_.check_finite({a_.x, a_.delta, n_rows, config_.width, finite_.data()});
}

void Llama::select_outputs(std::span<const int32_t> rows) {
  CHECK(rows.size() <= static_cast<size_t>(max_outputs_),
        "a step has at most max_outputs rows of logits");
  const auto n = static_cast<int32_t>(rows.size());
  const auto rows_of = [&](const float* values) {
    return Tensor{reinterpret_cast<const uint8_t*>(values), DType::kF32, max_rows_, config_.width};
  };
  backend_.gather_rows({rows_of(a_.x), rows.data(), n, a_.last});
  backend_.gather_rows({rows_of(a_.delta), rows.data(), n, a_.last_delta});
}

Llama::Llama(const GgufFile& file, const ModelConfig& config, Backend& backend, int context_length,
             int max_rows, int max_outputs)
    : file_(file),
      config_(config),
      backend_(backend),
      context_length_(context_length),
      max_rows_(max_rows),
      max_outputs_(max_outputs) {
  if (file.find_tensor("rope_freqs.weight") != nullptr) {
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "this llama model scales its rope frequencies, which is not supported yet");
  }
  embedding_ = tensor("token_embd.weight", config.vocabulary, config.width).tensor;
  output_norm_ = norm("output_norm.weight");
  const bool tied = file.find_tensor("output.weight") == nullptr;
  output_ = weight(tied ? "token_embd.weight" : "output.weight", config.vocabulary, config.width);
  load_layers();
  refuse_unused_tensors();
  prepare_rope();
  allocate_activations();
}

void Llama::load_layers() {
  const ModelConfig& c = config_;
  for (int i = 0; i < c.n_layers(); i++) {
    const std::string block = "blk." + std::to_string(i) + ".";
    const int64_t q_width = int64_t{c.n_heads} * c.head_dim(),
                  kv_width = int64_t{c.n_kv_heads()} * c.head_dim();
    Layer layer;
    layer.attention_norm = norm(block + "attn_norm.weight");
    layer.q = weight(block + "attn_q.weight", q_width, c.width);
    layer.k = weight(block + "attn_k.weight", kv_width, c.width);
    layer.v = weight(block + "attn_v.weight", kv_width, c.width);
    layer.o = weight(block + "attn_output.weight", c.width, q_width);
    layer.ffn_norm = norm(block + "ffn_norm.weight");
    layer.gate = weight(block + "ffn_gate.weight", c.ffn_width, c.width);
    layer.up = weight(block + "ffn_up.weight", c.ffn_width, c.width);
    layer.down = weight(block + "ffn_down.weight", c.width, c.ffn_width);
    layers_.push_back(std::move(layer));
  }
}

const GgufTensor& Llama::tensor(const std::string& name, int64_t n_rows, int64_t n_cols) {
  used_tensors_.insert(name);
  const GgufTensor* found = file_.find_tensor(name);
  if (found == nullptr)
    throw Error(ErrorCode::kModelMissingTensor, "tensor '" + name + "' is missing");
  if (found->tensor.n_rows != n_rows || found->tensor.n_cols != n_cols) {
    throw Error(ErrorCode::kModelBadShape,
                "tensor '" + name + "' is " + std::to_string(found->tensor.n_rows) + " x " +
                    std::to_string(found->tensor.n_cols) + "; the metadata says " +
                    std::to_string(n_rows) + " x " + std::to_string(n_cols));
  }
  return *found;
}

/** A tensor that we would ignore - a bias, say - would silently give another model. */
void Llama::refuse_unused_tensors() const {
  for (const GgufTensor& tensor : file_.tensors()) {
    if (used_tensors_.contains(tensor.name)) continue;
    throw Error(ErrorCode::kUnsupportedArchitecture,
                "this llama model has a tensor '" + tensor.name + "', which is not supported yet");
  }
}

std::unique_ptr<Weight> Llama::weight(const std::string& name, int64_t n_rows, int64_t n_cols) {
  const GgufTensor& found = tensor(name, n_rows, n_cols);
  auto prepared = backend_.prepare_weight(found.tensor);
  // A packed weight is a copy: the pages of its source need not stay resident.
  if (prepared->resident_bytes() > 0) file_.file().drop_pages(found.tensor.data, found.bytes);
  return prepared;
}

const float* Llama::norm(const std::string& name) {
  const GgufTensor& found = tensor(name, 1, config_.width);
  float* values = floats(config_.width);
  const int32_t row = 0;
  backend_.gather_rows({found.tensor, &row, 1, values});
  return values;
}

float* Llama::floats(int64_t count) {
  buffers_.push_back(backend_.allocate(static_cast<size_t>(count) * sizeof(float)));
  return buffers_.back()->floats();
}

void Llama::prepare_rope() {
  const int64_t angles = int64_t{context_length_} * (config_.rope_dims / 2);
  rope_ = {floats(angles), floats(angles), config_.rope_dims, config_.rope_interleaved};
  sines_ = buffers_.back().get();
  cosines_ = buffers_[buffers_.size() - 2].get();
}

// Filled as contexts grow: a file may claim a context of millions of tokens.
void Llama::extend_rope(std::span<const KvTarget> targets) {
  int needed = 0;
  for (const KvTarget& target : targets) needed = std::max(needed, target.position + 1);
  if (needed <= n_angles_) return;
  needed = std::min(context_length_, (needed + kAngleStep - 1) / kAngleStep * kAngleStep);
  const int half = config_.rope_dims / 2;
  for (int i = 0; i < half; i++) {
    const double frequency =
        std::pow(static_cast<double>(config_.rope_base), -2.0 * i / config_.rope_dims);
    for (int64_t position = n_angles_; position < needed; position++) {
      const double angle = static_cast<double>(position) * frequency;
      cosines_->floats()[position * half + i] = static_cast<float>(std::cos(angle));
      sines_->floats()[position * half + i] = static_cast<float>(std::sin(angle));
    }
  }
  n_angles_ = needed;
}

void Llama::allocate_activations() {
  const ModelConfig& c = config_;
  const int64_t rows = max_rows_, outputs = max_outputs_;
  const int64_t q_width = int64_t{c.n_heads} * c.head_dim(),
                kv_width = int64_t{c.n_kv_heads()} * c.head_dim();
  a_ = {.x = floats(rows * c.width),
        .normed = floats(rows * c.width),
        .delta = floats(rows * c.width),
        .q = floats(rows * q_width),
        .attended = floats(rows * q_width),
        .k = floats(rows * kv_width),
        .v = floats(rows * kv_width),
        .gate = floats(rows * c.ffn_width),
        .up = floats(rows * c.ffn_width),
        .last = floats(outputs * c.width),
        .last_delta = floats(outputs * c.width),
        .logits = floats(outputs * c.vocabulary)};
}

int64_t Llama::weight_bytes() const {
  int64_t bytes = output_->resident_bytes();
  for (const auto& layer : layers_) {
    for (const auto* w :
         {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      bytes += (*w)->resident_bytes();
    }
  }
  return bytes;
}

}  // namespace cachalot
