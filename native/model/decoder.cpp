#include "model/decoder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace cachalot {

namespace {

std::vector<int32_t> first_layers(std::span<const LayerClass> classes) {
  std::vector<int32_t> first;
  int32_t n = 0;
  for (const LayerClass& one : classes) {
    first.push_back(n);
    n += one.n_layers;
  }
  return first;
}

}  // namespace

ForwardOutput Decoder::forward(const ForwardInput& input, std::span<const KvStore> stores) {
  const auto n_rows = static_cast<int32_t>(input.tokens.size());
  const ModelConfig& c = config_;
  CHECK(n_rows <= max_rows_, "a step has at most max_rows rows");
  backend_.begin_step({input.tokens, input.targets, input.slabs, input.new_slabs, input.plans,
                       input.output_rows, input.kept_rows});
  cover_positions(input);
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
    normalize_heads(i, n_rows);
    attend(i, stores, !input.kept_rows.empty());
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
void Decoder::normalize_heads(int layer, int32_t n_rows) {
  const ModelConfig& c = config_;
  if (!c.qk_norm) return;
  const auto& [n_kv_heads, head_dim, window] = c.layers[static_cast<size_t>(layer)];
  const DecoderLayer& weights = weights_.layers[static_cast<size_t>(layer)];
  const int32_t n_queries = n_rows * c.n_heads, n_keys = n_rows * n_kv_heads;
  backend_.rms_norm({a_.q, nullptr, weights.q_norm, c.norm_epsilon, n_queries, head_dim, a_.q});
  backend_.rms_norm({a_.k, nullptr, weights.k_norm, c.norm_epsilon, n_keys, head_dim, a_.k});
}

/** attended = softmax(q K^T / sqrt(D)) V over the keys that the plan lets each row read, its own
 * token included. */
void Decoder::attend(int layer, std::span<const KvStore> stores, bool keeps_queries) {
  const auto [plan, index] = places_[static_cast<size_t>(layer)];
  const KvStore& store = stores[static_cast<size_t>(plan)];
  const int32_t n_heads = config_.n_heads, head_dim = store.layout.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  backend_.kv_write({store, rope_.table(), index, a_.k, a_.v});
  if (keeps_queries)
    backend_.keep_queries(
        {rope_.table(), first_layers_[static_cast<size_t>(plan)] + index, n_heads, head_dim, a_.q});
  backend_.attention({rope_.table(), index, n_heads, store.n_kv_heads, head_dim, store.layout.k,
                      scale, a_.q, plan, partials_->floats()});
  backend_.attention_merge({plan, partials_->floats(), n_heads, head_dim, a_.attended});
}

void Decoder::allocate_partials(std::span<const AttentionPlan> plans) {
  int64_t bytes = 0;
  for (size_t i = 0; i < plans.size(); i++) {
    const int64_t n_values = int64_t{config_.n_heads} * (classes_[i].head_dim + 2);
    bytes = std::max(bytes, plans[i].n_partials * n_values * int64_t{sizeof(float)});
  }
  if (partials_ == nullptr || partials_->size() < static_cast<size_t>(bytes))
    partials_ = backend_.allocate(static_cast<size_t>(2 * bytes));
}

/** Queries are rotated by other positions than keys where a part of a context is shifted. */
void Decoder::cover_positions(const ForwardInput& input) {
  int n = 0;
  for (const KvTarget& target : input.targets) n = std::max(n, target.position + 1);
  for (const AttentionPlan& plan : input.plans) n = std::max(n, plan.n_positions);
  rope_.cover(n);
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
      max_rows_(max_rows),
      max_outputs_(max_outputs),
      weights_(std::move(weights)),
      classes_(config.classes()),
      places_(config.places()),
      first_layers_(first_layers(classes_)),
      rope_(config.rope, backend, context_length) {
  allocate_activations();
}

float* Decoder::floats(int64_t count) {
  buffers_.push_back(backend_.allocate(static_cast<size_t>(count) * sizeof(float)));
  return buffers_.back()->floats();
}

void Decoder::allocate_activations() {
  const ModelConfig& c = config_;
  const int64_t rows = max_rows_, outputs = max_outputs_;
  const int64_t q_width = c.query_width(), kv_width = c.key_width();
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
