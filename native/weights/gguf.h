// The GGUF container, versions 2 and 3 (little-endian): metadata and named tensors over a memory
// map. Every count, length, dimension, offset and product is checked before it is used; nothing is
// allocated from a number that the file's own size does not bear out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "weights/stored_tensor.h"

namespace cachalot {

/** GGUF's numbers for the types of metadata values. */
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12
};

struct GgufArray;
using GgufValue =
    std::variant<uint64_t, int64_t, double, bool, std::string, std::shared_ptr<GgufArray>>;

/** An array of one element type; arrays of arrays are refused. */
struct GgufArray {
  GgufType type;
  std::vector<std::string> strings;  // when type is kString
  std::vector<double> numbers;       // otherwise
  size_t size() const { return type == GgufType::kString ? strings.size() : numbers.size(); }
};

struct GgufFile {
  uint32_t version = 0;
  std::map<std::string, GgufValue> metadata;
  std::vector<StoredTensor> tensors;  // in the file's order
  uint64_t data_offset = 0;           // where the header ends and the tensors begin

  /** Null if there is none. */
  const GgufValue* find(const std::string& key) const;
};

/** Checks a whole file in memory; its tensors point into `bytes`. Throws Error with a file_* code
 * that names what is wrong. */
GgufFile parse_gguf(std::span<const uint8_t> bytes);

/** Maps and checks `path`. */
GgufFile read_gguf(const std::string& path);

}  // namespace cachalot
