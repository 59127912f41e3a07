// The GGUF container, versions 2 and 3 (little-endian): metadata and named tensors over a memory
// map. Every count, length, dimension, offset and product is checked before it is used; nothing is
// allocated from a number that is too large for the file's own size.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weights/gguf_metadata.h"
#include "weights/stored_tensor.h"

namespace cachalot {

struct GgufFile {
  uint32_t version = 0;
  GgufMetadata metadata;
  std::vector<StoredTensor> tensors;               // in the file's order
  uint64_t metadata_offset = 0, metadata_end = 0;  // its entries, without their number
  uint64_t data_offset = 0;                        // where the header ends and the tensors begin

  /** Null if there is none. */
  const GgufValue* find(const std::string& key) const;
};

/** Checks a whole file in memory; its tensors point into `bytes`. Throws Error with a file_* code
 * that names the fault. */
GgufFile parse_gguf(std::span<const uint8_t> bytes, const WantedMetadata& wanted = {});

/** Maps and checks one file, be it a part of a model that is split or a whole one. */
GgufFile read_gguf_file(const std::string& path, const WantedMetadata& wanted = {});

}  // namespace cachalot
