// The decoder of the Llama family and its kin (Mistral, SmolLM2, Qwen2, Qwen3): RMS norm,
// grouped-query attention with rotary positions, gated feed-forward (Touvron et al. 2023). Written
// once over Backend; the differences are in ModelConfig.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"
#include "model/decoder_weights.h"

namespace cachalot {

/** The input of a forward pass: the rows of a step, in the step's order. */
struct ForwardInput {
  std::span<const int32_t> tokens;       // [R]
  std::span<const KvTarget> targets;     // [R] where each row's K and V go
  std::span<const AttentionPlan> plans;  // one for each of ModelConfig::windows()
  std::span<const int32_t> output_rows;  // rows whose logits are wanted
};

struct ForwardOutput {
  const float* logits;              // [output_rows, V]
  std::span<const uint8_t> finite;  // [R] 0 where a row's hidden state holds a NaN or an infinity
};

class Decoder {
 public:
  Decoder(DecoderWeights weights, const ModelConfig& config, Backend& backend, int context_length,
          int max_rows, int max_outputs);

  /** Runs one forward pass. Its output is valid until the next call. */
  ForwardOutput forward(const ForwardInput& input, const KvStore& store);

  const ModelConfig& config() const { return config_; }
  int max_rows() const { return max_rows_; }
  int max_outputs() const { return max_outputs_; }
  const DecoderWeights& weights() const { return weights_; }

 private:
  /** Buffers of one step. */
  struct Activations {
    float *x, *normed, *delta;  // [R, E]
    float *q, *attended;        // [R, H D]
    float *k, *v;               // [R, G D]
    float *gate, *up;           // [R, F]
    float *last, *last_delta;   // [outputs, E]
    float* logits;              // [outputs, V]
  };

  void prepare_rope();
  void extend_rope(std::span<const KvTarget> targets);
  void allocate_activations();
  void allocate_partials(std::span<const AttentionPlan> plans);
  float* floats(int64_t count);
  void attend(int layer, const KvStore& store);
  void normalize_heads(const DecoderLayer& layer, int32_t n_rows);
  void check_rows(int32_t n_rows);

  ModelConfig config_;
  Backend& backend_;
  int context_length_, max_rows_, max_outputs_;
  DecoderWeights weights_;
  std::vector<int> plan_of_layer_;  // [L] index in the step's plans
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<Buffer> partials_;
  RopeTable rope_{};
  Buffer *cosines_ = nullptr, *sines_ = nullptr;  // of rope_, filled up to n_angles_ positions
  int n_angles_ = 0;
  Activations a_{};
  std::vector<uint8_t> finite_;  // [R]
};

}  // namespace cachalot
