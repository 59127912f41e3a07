// A tensor as a file holds it, and all tensors of a model by name. The names are GGUF's, whatever
// the container.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/tensor.h"
#include "base/mapped_file.h"

namespace cachalot {

struct StoredTensor {
  std::string name;
  std::vector<uint64_t> shape;             // fastest-running dimension first
  Tensor tensor;                           // shape[0] columns, all other dimensions as rows
  std::shared_ptr<const MappedFile> file;  // keeps the bytes mapped

  uint64_t bytes() const { return static_cast<uint64_t>(tensor.bytes()); }
  /** Tells the system that the bytes have been copied elsewhere. */
  void drop_pages() const {
    if (file != nullptr) file->drop_pages(tensor.data, bytes());
  }
};

using TensorMap = std::map<std::string, StoredTensor>;

}  // namespace cachalot
