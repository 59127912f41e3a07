// A model on disk, in either container: its configuration, and its tensors under GGUF's names.
#pragma once

#include <string>

#include "model/config.h"

namespace cachalot {

struct ModelFiles {
  ModelConfig config;
  TensorMap tensors;
};

/** `path` is a GGUF file or the first of a split one, a Hugging Face folder, or a safetensors file
 * or index in one. Throws Error that names the file. */
ModelFiles open_model(const std::string& path);

}  // namespace cachalot
