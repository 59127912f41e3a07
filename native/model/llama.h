// The Llama family: RMS norm, grouped-query attention with rotary positions, gated feed-forward
// (Touvron et al. 2023). Written once over Backend.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
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

struct ForwardOutput {
  const float* logits;              // [output_rows, V]
  std::span<const uint8_t> finite;  // [R] 0 where a row's hidden state holds a NaN or an infinity
};

class Llama {
 public:
  /** Prepares all weights. `file` must outlive the model. Throws model_missing_tensor or
   * model_bad_shape. */
  Llama(const GgufFile& file, const ModelConfig& config, Backend& backend, int context_length,
        int max_rows, int max_outputs);

  /** One forward pass. What it returns is valid until the next call. */
  ForwardOutput forward(const ForwardInput& input, const KvStore& store);

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

  const GgufTensor& tensor(const std::string& name, int64_t n_rows, int64_t n_cols);
  void refuse_unused_tensors() const;
  void prepare_rope();
  std::unique_ptr<Weight> weight(const std::string& name, int64_t n_rows, int64_t n_cols);
  const float* norm(const std::string& name);
  void load_layers();
  void extend_rope(std::span<const KvTarget> targets);
  void allocate_activations();
  float* floats(int64_t count);
  void attend(int layer, const ForwardInput& input, const KvStore& store);
  void check_rows(int32_t n_rows);
  void select_outputs(std::span<const int32_t> rows);

  const GgufFile& file_;
  ModelConfig config_;
  Backend& backend_;
  int context_length_, max_rows_, max_outputs_;
  std::set<std::string> used_tensors_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::unique_ptr<Buffer> partials_;
  Tensor embedding_;  // [V, E]
  std::vector<Layer> layers_;
  const float* output_norm_ = nullptr;  // [E]
  std::unique_ptr<Weight> output_;      // [V, E]
  RopeTable rope_{};
  Buffer *cosines_ = nullptr, *sines_ = nullptr;  // of rope_, filled up to n_angles_ positions
  int n_angles_ = 0;
  Activations a_{};
  std::vector<uint8_t> finite_;  // [R]
};

}  // namespace cachalot
