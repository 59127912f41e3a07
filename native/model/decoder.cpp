#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr int kAngleStep = 1024;  // positions by which the table of angles grows

}  // namespace

ForwardOutput Decoder::forward(const ForwardInput& input, const KvStore& store) {
  const auto n_rows = static_cast<int32_t>(input.tokens.size());
  const ModelConfig& c = config_;
  CHECK(n_rows <= max_rows_, "a step has at most max_rows rows");
  backend_.begin_step({input.tokens, input.targets, input.plans, input.output_rows});
  extend_rope(input.targets);
  allocate_partials(input.plans);
  backend_.gather_rows({weights_.embedding.get(), a_.x});

  const float* delta = nullptr;  // the last block's output, to be added to the residual stream x
  for (int i = 0; i < c.n_layers(); i++) {
    const DecoderLayer& layer = weights_.layers[static_cast<size_t>(i)];

    // x += delta;  attended = attention(norm(x));  delta = attended Wo^T
    backend_.rms_norm(
        {a_.x, delta, layer.attention_norm, c.norm_epsilon, n_rows, c.width, a_.normed});
    backend_.linear({a_.normed, n_rows,
                     std::array{layer.q.into(a_.q), layer.k.into(a_.k), layer.v.into(a_.v)}});
    normalize_heads(layer, n_rows);
    attend(i, store);
    backend_.linear({a_.attended, n_rows, std::array{layer.o.into(a_.delta)}});
    delta = a_.delta;

    // x += delta;  delta = (silu(norm(x) Wgate^T) * (norm(x) Wup^T)) Wdown^T
    backend_.rms_norm({a_.x, delta, layer.ffn_norm, c.norm_epsilon, n_rows, c.width, a_.normed});
    backend_.linear(
        {a_.normed, n_rows, std::array{layer.gate.into(a_.gate), layer.up.into(a_.up)}});
    backend_.silu_mul({a_.gate, a_.up, n_rows, c.ffn_width, a_.gate});
    backend_.linear({a_.gate, n_rows, std::array{layer.down.into(a_.delta)}});
  }

  check_rows(n_rows);

  // logits = norm(x + delta) Woutput^T, for the rows that need them
  const auto n_outputs = static_cast<int32_t>(input.output_rows.size());
  const ForwardOutput output{a_.logits, finite_};
  if (n_outputs == 0) return output;
  CHECK(n_outputs <= max_outputs_, "a step has at most max_outputs rows of logits");
  backend_.select_rows({a_.x, c.width, a_.last});
  backend_.select_rows({a_.delta, c.width, a_.last_delta});
  backend_.rms_norm(
      {a_.last, a_.last_delta, weights_.output_norm, c.norm_epsilon, n_outputs, c.width, a_.last});
  backend_.linear({a_.last, n_outputs, std::array{weights_.output.into(a_.logits)}});
  return output;
}

/** Qwen3: each head's query and key go through an RMS norm of their own before they are rotated. */
void Decoder::normalize_heads(const DecoderLayer& layer, int32_t n_rows) {
  const ModelConfig& c = config_;
  if (!c.qk_norm) return;
  const int32_t n_queries = n_rows * c.n_heads, n_keys = n_rows * c.n_kv_heads();
  backend_.rms_norm({a_.q, nullptr, layer.q_norm, c.norm_epsilon, n_queries, c.head_dim(), a_.q});
  backend_.rms_norm({a_.k, nullptr, layer.k_norm, c.norm_epsilon, n_keys, c.head_dim(), a_.k});
}

/** attended = softmax(q K^T / sqrt(D)) V over the keys that the plan lets each row read, its own
 * token included. */
void Decoder::attend(int layer, const KvStore& store) {
  const ModelConfig& c = config_;
  const int plan = plan_of_layer_[static_cast<size_t>(layer)];
  backend_.kv_write({store, rope_, layer, a_.k, a_.v});
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim()));
  backend_.attention({store, rope_, layer, c.n_heads, scale, a_.q, plan, partials_->floats()});
  backend_.attention_merge({plan, partials_->floats(), c.n_heads, c.head_dim(), a_.attended});
}

void Decoder::allocate_partials(std::span<const AttentionPlan> plans) {
  int64_t bytes = 0;
  for (const auto& plan : plans) {
    bytes =
        std::max(bytes, int64_t{plan.n_partials} * config_.n_heads * (config_.head_dim() + 2) * 4);
  }
  if (partials_ == nullptr || partials_->size() < static_cast<size_t>(bytes))
    partials_ = backend_.allocate(static_cast<size_t>(2 * bytes));
}

// A damaged weight or an overflow shows in the residual stream of every row it reached.
void Decoder::check_rows(int32_t n_rows) {
  finite_.resize(static_cast<size_t>(n_rows));
  backend_.check_finite({a_.x, a_.delta, n_rows, config_.width, finite_.data()});
}

Decoder::Decoder(DecoderWeights weights, const ModelConfig& config, Backend& backend,
                 int context_length, int max_rows, int max_outputs)
    : config_(config),
      backend_(backend),
      context_length_(context_length),
      max_rows_(max_rows),
      max_outputs_(max_outputs),
      weights_(std::move(weights)) {
  const auto windows = config.windows();
  for (const auto& layer : config.layers) {
    plan_of_layer_.push_back(static_cast<int>(
        std::find(windows.begin(), windows.end(), layer.window) - windows.begin()));
  }
  prepare_rope();
  allocate_activations();
}

float* Decoder::floats(int64_t count) {
  buffers_.push_back(backend_.allocate(static_cast<size_t>(count) * sizeof(float)));
  return buffers_.back()->floats();
}

void Decoder::prepare_rope() {
  const int64_t angles = int64_t{context_length_} * (config_.rope.dims / 2);
  rope_ = {floats(angles), floats(angles), config_.rope.dims, config_.rope.interleaved};
  sines_ = buffers_.back().get();
  cosines_ = buffers_[buffers_.size() - 2].get();
}

// The table is filled as contexts grow, because a file may claim a context of millions of tokens.
void Decoder::extend_rope(std::span<const KvTarget> targets) {
  int needed = 0;
  for (const KvTarget& target : targets) needed = std::max(needed, target.position + 1);
  if (needed <= n_angles_) return;
  needed = std::min(context_length_, (needed + kAngleStep - 1) / kAngleStep * kAngleStep);
  const auto frequencies = rope_frequencies(config_.rope);
  const double size = config_.rope.attention_factor;
  std::vector<float> cosines, sines;
  for (int position = n_angles_; position < needed; position++) {
    for (const double frequency : frequencies) {
      const double angle = position * frequency;
      cosines.push_back(static_cast<float>(size * std::cos(angle)));
      sines.push_back(static_cast<float>(size * std::sin(angle)));
    }
  }
  const size_t offset = static_cast<size_t>(n_angles_) * frequencies.size() * sizeof(float);
  cosines_->write(offset, cosines);
  sines_->write(offset, sines);
  n_angles_ = needed;
}

void Decoder::allocate_activations() {
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

}  // namespace cachalot
