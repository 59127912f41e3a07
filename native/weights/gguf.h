// The GGUF container, versions 2 and 3 (little-endian): metadata and named tensors over a memory
// map. Every count, length, dimension, offset and product is checked before it is used; nothing is
// allocated from a number that the file's own size does not bear out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "backend/tensor.h"
#include "base/mapped_file.h"

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

struct GgufTensor {
  std::string name;
  std::vector<uint64_t> shape;  // fastest-running dimension first, as in the file
  uint64_t offset;              // from the start of the tensor data
  uint64_t bytes;
  Tensor tensor;  // shape[0] columns, all other dimensions as rows
};

class GgufFile {
 public:
  /** Maps and checks `path`; throws Error with a file_* code that names what is wrong. */
  explicit GgufFile(const std::string& path);

  const MappedFile& file() const { return file_; }
  uint32_t version() const { return version_; }
  const std::map<std::string, GgufValue>& metadata() const { return metadata_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  const GgufValue* find(const std::string& key) const;
  /** Null if there is none. */
  const GgufTensor* find_tensor(const std::string& name) const;

 private:
  void parse();

  MappedFile file_;
  uint32_t version_ = 0;
  std::map<std::string, GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, size_t> tensor_index_;
};

}  // namespace cachalot
