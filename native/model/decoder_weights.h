// The weights of a decoder, prepared for a backend.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "model/config.h"
#include "model/tensor_reader.h"
#include "weights/layout_file.h"

namespace cachalot {

/** A matrix and its bias, if it has one. */
struct Projection {
  std::unique_ptr<Weight> weight;  // [N, K]
  const float* bias = nullptr;     // [N] or null

  LinearOutput into(float* y) const { return {weight.get(), y, bias}; }
};

struct DecoderLayer {
  const float* attention_norm;    // [E]
  Projection q;                   // [H D, E]
  Projection k;                   // [G D, E]
  Projection v;                   // [G D, E]
  const float* q_norm = nullptr;  // [D] or null
  const float* k_norm = nullptr;  // [D] or null
  Projection o;                   // [E, H D]
  const float* ffn_norm;          // [E]
  Projection gate;                // [F, E]
  Projection up;                  // [F, E]
  Projection down;                // [E, F]
};

struct DecoderWeights {
  std::unique_ptr<Weight> embedding;  // [V, E] a table
  std::vector<DecoderLayer> layers;
  const float* output_norm;                      // [E]
  Projection output;                             // [V, E]
  std::vector<std::unique_ptr<Buffer>> vectors;  // norms and biases in f32
  std::vector<LaidOutTensor> packed;             // of the projections that are not read in place
  std::shared_ptr<const LayoutFile> layout;      // where they are mapped from, or null
  std::map<std::string, MemoryRegion> floats;    // those that were read into memory
  WatchedFiles files;                            // of the model, that are read in place

  /** Throws model_changed if files that are read in place have changed or cannot be read. */
  void check_files() const;
  /** Bytes of packed weights; floats that are read as they are in the file are not counted. */
  int64_t resident_bytes() const;
};

/** Files that weights read in place stay mapped; `tensors` may go. `layout`: of an earlier load, or
 * null. Throws model_missing_tensor, model_bad_shape, model_changed, or unsupported_architecture
 * for a tensor that nothing uses. `on_progress` is told how many bytes of the tensors are ready. */
DecoderWeights load_decoder_weights(
    const TensorMap& tensors, const ModelConfig& config, Backend& backend,
    std::shared_ptr<const LayoutFile> layout,
    const std::function<void(uint64_t bytes, uint64_t total_bytes)>& on_progress);

}  // namespace cachalot
