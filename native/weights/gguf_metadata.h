// The metadata of a GGUF file: keys with scalars, texts and arrays. All of it is checked, and
// counted against limits for the whole header; only the wanted keys are kept.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "weights/byte_reader.h"

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

/** "string", "u32", ...: as GGUF's own tools write them. */
const char* gguf_type_name(GgufType type);

/** An array of one element type, or its beginning; arrays of arrays are refused. */
struct GgufArray {
  GgufType type;
  uint64_t n_elements;              // in the file
  std::vector<double> numbers;      // those that are kept, unless they are strings
  std::string text;                 // all strings that are kept, one after the other
  std::vector<uint64_t> text_ends;  // where each ends: one object per string would take more memory

  uint64_t n_kept() const { return type == GgufType::kString ? text_ends.size() : numbers.size(); }
  bool is_whole() const { return n_kept() == n_elements; }
};

using GgufValue =
    std::variant<uint64_t, int64_t, double, bool, std::string, std::shared_ptr<const GgufArray>>;
using GgufMetadata = std::map<std::string, GgufValue>;

/** The metadata to keep. Keys that say how the file itself is to be read are always kept. */
struct WantedMetadata {
  std::vector<std::string> prefixes = {""};  // of keys
  uint64_t longest_array = UINT64_MAX;       // of longer ones the first few elements are kept
};

/** Throws file_bad_metadata with the key and the limit, file_duplicate_key or file_truncated. */
GgufMetadata read_gguf_metadata(ByteReader& reader, uint64_t n_entries,
                                const WantedMetadata& wanted);

/** A key of the file or the name of a tensor. Throws Error{code} unless it is a usable one. */
std::string read_gguf_name(ByteReader& reader, ErrorCode code, const std::string& what);

/** An integer of any type that is not negative; nothing if there is no such key. Throws
 * file_bad_metadata for anything else. */
std::optional<uint64_t> find_gguf_count(const GgufMetadata& metadata, const std::string& key);

}  // namespace cachalot
