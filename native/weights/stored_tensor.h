// A tensor as a file holds it, and all tensors of a model by name. The names are GGUF's, whatever
// the container.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/tensor.h"
#include "base/mapped_file.h"

namespace cachalot {

struct StoredTensor {
  std::string name;
  std::vector<uint64_t> shape;             // fastest-running dimension first
  Tensor tensor;                           // shape[0] columns, all other dimensions as rows
  std::shared_ptr<const MappedFile> file;  // keeps the bytes mapped; null for bytes in memory

  uint64_t bytes() const { return static_cast<uint64_t>(tensor.bytes()); }
  /** Copies the first bytes, from the file if there is one: see MappedFile::read. */
  void read(std::span<uint8_t> out) const {
    if (file == nullptr) std::memcpy(out.data(), tensor.data, out.size());
    else file->read(static_cast<uint64_t>(tensor.data - file->bytes().data()), out);
  }
};

using TensorMap = std::map<std::string, StoredTensor>;

}  // namespace cachalot
