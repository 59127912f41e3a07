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
#include "model/rope_angles.h"

namespace cachalot {

/** The input of a forward pass: the rows of a step, in the step's order. */
struct ForwardInput {
  std::span<const int32_t> tokens;    // [R]
  std::span<const KvTarget> targets;  // [R] where each row's K and V go
  std::span<const uint32_t> slabs;    // of all contexts; see StepTables
  std::span<const SlabRange> new_slabs;
  std::span<const AttentionPlan> plans;  // one for each of ModelConfig::classes()
  std::span<const int32_t> output_rows;  // rows whose logits are wanted
  std::span<const KeptRow> kept_rows{};  // rows whose queries are kept
};

struct ForwardOutput {
  const float* logits;              // [output_rows, V]
  std::span<const uint8_t> finite;  // [R] 0 where a row's hidden state holds a NaN or an infinity
};

class Decoder {
 public:
  Decoder(DecoderWeights weights, const ModelConfig& config, Backend& backend, int context_length,
          int max_rows, int max_outputs);

  /** Runs one forward pass. `stores`: where each class of layers keeps its KV. The output is valid
   * until the next call. */
  ForwardOutput forward(const ForwardInput& input, std::span<const KvStore> stores);

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

  void cover_positions(const ForwardInput& input);
  void allocate_activations();
  void allocate_partials(std::span<const AttentionPlan> plans);
  float* floats(int64_t count);
  void attend(int layer, std::span<const KvStore> stores, bool keeps_queries);
  void normalize_heads(int layer, int32_t n_rows);
  void check_rows(int32_t n_rows);

  ModelConfig config_;
  Backend& backend_;
  int max_rows_, max_outputs_;
  DecoderWeights weights_;
  std::vector<LayerClass> classes_;
  std::vector<LayerPlace> places_;     // [L] the class is the index of the layer's plan
  std::vector<int32_t> first_layers_;  // of each class, if one class follows the other
  RopeAngles rope_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<Buffer> partials_;
  Activations a_{};
  std::vector<uint8_t> finite_;  // [R]
};

}  // namespace cachalot
