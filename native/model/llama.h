// The Llama family: RMS norm, grouped-query attention with rotary positions, gated feed-forward
// (Touvron et al. 2023). Written once over Backend.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"

namespace cachalot {

/** What one forward pass reads: the rows of a step, in the step's order. */
struct ForwardInput {
  std::span<const int32_t> tokens;    // [R]
  std::span<const KvTarget> targets;  // [R] where each row's K and V go
  const AttentionPlan* plan;
  std::span<const int32_t> output_rows;  // rows whose logits are wanted
};

class Llama {
 public:
  /** Prepares all weights. `file` must outlive the model. Throws model_missing_tensor or
   * model_bad_shape. */
  Llama(const GgufFile& file, const ModelConfig& config, Backend& backend, int context_length,
        int max_rows, int max_outputs);

  /** One forward pass; returns logits [output_rows, V], valid until the next call. */
  const float* forward(const ForwardInput& input, const KvStore& store);

  const ModelConfig& config() const { return config_; }
  int max_rows() const { return max_rows_; }
  int max_outputs() const { return max_outputs_; }
  /** Bytes of packed weights; those read in place from the map are not counted. */
  int64_t weight_bytes() const;

 private:
  struct Layer {
    const float* attention_norm;   // [E]
    std::unique_ptr<Weight> q;     // [H D, E]
    std::unique_ptr<Weight> k;     // [G D, E]
    std::unique_ptr<Weight> v;     // [G D, E]
    std::unique_ptr<Weight> o;     // [E, H D]
    const float* ffn_norm;         // [E]
    std::unique_ptr<Weight> gate;  // [F, E]
    std::unique_ptr<Weight> up;    // [F, E]
    std::unique_ptr<Weight> down;  // [E, F]
  };
  /** Buffers of one step. */
  struct Activations {
    float *x, *normed, *delta;  // [R, E]
    float *q, *attended;        // [R, H D]
    float *k, *v;               // [R, G D]
    float *gate, *up;           // [R, F]
    float *last, *last_delta;   // [outputs, E]
    float* logits;              // [outputs, V]
  };

  const GgufTensor& tensor(const std::string& name, int64_t n_rows, int64_t n_cols) const;
  std::unique_ptr<Weight> weight(const std::string& name, int64_t n_rows, int64_t n_cols);
  const float* norm(const std::string& name);
  void load_layers();
  void build_rope(int context_length);
  void allocate_activations();
  float* floats(int64_t count);
  void attend(int layer, const ForwardInput& input, const KvStore& store);
  void select_outputs(std::span<const int32_t> rows);

  const GgufFile& file_;
  ModelConfig config_;
  Backend& backend_;
  int max_rows_, max_outputs_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<Buffer> partials_;
  Tensor embedding_;  // [V, E]
  std::vector<Layer> layers_;
  const float* output_norm_ = nullptr;  // [E]
  std::unique_ptr<Weight> output_;      // [V, E]
  RopeTable rope_{};
  Activations a_{};
};

}  // namespace cachalot
