#include "weights/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/checked_math.h"

namespace cachalot {

namespace {

// Limits for a whole header: files with holes cost nothing, but memory made from them does. The
// largest vocabularies, of 256K tokens with scores, types and twice as many merges, have 1.3
// million elements and 15 MB of text; models have some 50 keys.
constexpr uint64_t kMaxEntries = 1 << 16;
constexpr uint64_t kMaxElements = 1 << 23;
constexpr uint64_t kMaxTextBytes = 1 << 27;  // JavaScript can hold so many as one string, too
constexpr uint64_t kMaxNameBytes = 1024;
constexpr uint64_t kMinEntryBytes = 8 + 4;  // key length, type
constexpr uint64_t kExcerpt = 4;            // elements of an array that is not kept whole

// Keys that say how the file itself is to be read.
constexpr std::array<std::string_view, 4> kOwnKeys{"general.alignment", "split.no", "split.count",
                                                   "split.tensors.count"};

struct TypeInfo {
  const char* name;
  uint64_t bytes;  // 0: it is no scalar
};

// In the order of GGUF's numbers.
constexpr std::array<TypeInfo, 13> kTypes{{{"u8", 1},
                                           {"i8", 1},
                                           {"u16", 2},
                                           {"i16", 2},
                                           {"u32", 4},
                                           {"i32", 4},
                                           {"f32", 4},
                                           {"bool", 1},
                                           {"string", 0},
                                           {"array", 0},
                                           {"u64", 8},
                                           {"i64", 8},
                                           {"f64", 8}}};

uint64_t scalar_bytes(GgufType type) {
  const auto number = static_cast<uint32_t>(type);
  return number < kTypes.size() ? kTypes[number].bytes : 0;
}

[[noreturn]] void bad_metadata(const std::string& key, const std::string& what) {
  throw Error(ErrorCode::kFileBadMetadata, "metadata '" + key + "' " + what);
}

double as_number(const GgufValue& value) {
  if (const auto* u = std::get_if<uint64_t>(&value)) return static_cast<double>(*u);
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? 1 : 0;
  return std::get<double>(value);
}

class MetadataReader {
 public:
  MetadataReader(ByteReader& reader, const WantedMetadata& wanted)
      : reader_(reader), wanted_(wanted) {}

  GgufMetadata read(uint64_t n_entries) {
    reader_.need(checked_multiply(n_entries, kMinEntryBytes).value_or(UINT64_MAX), "the metadata");
    if (n_entries > kMaxEntries) {
      throw Error(ErrorCode::kFileBadMetadata, "the file has " + std::to_string(n_entries) +
                                                   " metadata entries; at most " +
                                                   std::to_string(kMaxEntries) + " are allowed");
    }
    GgufMetadata metadata;
    for (uint64_t i = 0; i < n_entries; i++) {
      std::string key = read_gguf_name(reader_, ErrorCode::kFileBadMetadata, "a metadata key");
      if (!names_.insert(key).second)
        throw Error(ErrorCode::kFileDuplicateKey, "metadata '" + key + "' appears twice");
      GgufValue value = read_value(key);
      if (is_wanted(key)) metadata.emplace(std::move(key), std::move(value));
    }
    return metadata;
  }

 private:
  bool is_wanted(std::string_view key) const {
    if (std::find(kOwnKeys.begin(), kOwnKeys.end(), key) != kOwnKeys.end()) return true;
    return std::any_of(wanted_.prefixes.begin(), wanted_.prefixes.end(),
                       [&](const std::string& prefix) { return key.starts_with(prefix); });
  }

  GgufValue read_value(const std::string& key) {
    const auto type = static_cast<GgufType>(reader_.read<uint32_t>("the type of '" + key + "'"));
    if (type == GgufType::kArray) return read_array(key);
    if (type != GgufType::kString) return read_scalar(type, key);
    if (!is_wanted(key)) {
      skip_text(key);
      return false;
    }
    std::string text;
    read_text(key, &text);
    return text;
  }

  GgufValue read_scalar(GgufType type, const std::string& key) {
    switch (type) {
      case GgufType::kU8: return uint64_t{reader_.read<uint8_t>(key)};
      case GgufType::kU16: return uint64_t{reader_.read<uint16_t>(key)};
      case GgufType::kU32: return uint64_t{reader_.read<uint32_t>(key)};
      case GgufType::kU64: return reader_.read<uint64_t>(key);
      case GgufType::kI8: return int64_t{reader_.read<int8_t>(key)};
      case GgufType::kI16: return int64_t{reader_.read<int16_t>(key)};
      case GgufType::kI32: return int64_t{reader_.read<int32_t>(key)};
      case GgufType::kI64: return reader_.read<int64_t>(key);
      case GgufType::kF32: return double{reader_.read<float>(key)};
      case GgufType::kF64: return reader_.read<double>(key);
      case GgufType::kBool: return reader_.read<uint8_t>(key) != 0;
      default:
        bad_metadata(key, "has unknown value type " + std::to_string(static_cast<uint32_t>(type)));
    }
  }

  GgufValue read_array(const std::string& key) {
    auto array = std::make_shared<GgufArray>();
    array->type = static_cast<GgufType>(reader_.read<uint32_t>(key));
    array->n_elements = reader_.read<uint64_t>(key);
    if (array->type == GgufType::kArray) bad_metadata(key, "is an array of arrays");
    const bool strings = array->type == GgufType::kString;
    const uint64_t element = strings ? 8 : scalar_bytes(array->type);
    if (element == 0)
      bad_metadata(
          key, "is an array of unknown type " + std::to_string(static_cast<uint32_t>(array->type)));
    const auto bytes = checked_multiply(array->n_elements, element);
    reader_.need(bytes.value_or(UINT64_MAX), "metadata array '" + key + "'");
    count_elements(key, array->n_elements);
    const uint64_t n_kept = kept_elements(key, array->n_elements);
    if (strings) {
      array->text_ends.reserve(n_kept);
      for (uint64_t i = 0; i < n_kept; i++) {
        read_text(key, &array->text);
        array->text_ends.push_back(array->text.size());
      }
      for (uint64_t i = n_kept; i < array->n_elements; i++) skip_text(key);
    } else {
      array->numbers.reserve(n_kept);
      for (uint64_t i = 0; i < n_kept; i++)
        array->numbers.push_back(as_number(read_scalar(array->type, key)));
      reader_.skip((array->n_elements - n_kept) * element, key);
    }
    return array;
  }

  uint64_t kept_elements(const std::string& key, uint64_t n_elements) const {
    if (!is_wanted(key)) return 0;
    return n_elements > wanted_.longest_array ? std::min(n_elements, kExcerpt) : n_elements;
  }

  void read_text(const std::string& key, std::string* text) {
    const uint64_t length = read_text_length(key);
    const size_t start = text->size();
    text->resize(start + length);
    reader_.read_into({reinterpret_cast<uint8_t*>(text->data()) + start, length}, key);
  }

  void skip_text(const std::string& key) { reader_.skip(read_text_length(key), key); }

  /** The length of a text, all of which is in the file and within the limits. */
  uint64_t read_text_length(const std::string& key) {
    const auto length = reader_.read<uint64_t>(key);
    reader_.need(length, key);
    if (length > kMaxTextBytes - n_text_bytes_) {
      bad_metadata(key, "goes beyond the " + std::to_string(kMaxTextBytes) +
                            " bytes of text that the metadata of a file may have in all");
    }
    n_text_bytes_ += length;
    return length;
  }

  void count_elements(const std::string& key, uint64_t n) {
    if (n > kMaxElements - n_elements_) {
      bad_metadata(key, "is an array of " + std::to_string(n) +
                            " elements, which goes beyond the " + std::to_string(kMaxElements) +
                            " that the metadata of a file may have in all");
    }
    n_elements_ += n;
  }

  ByteReader& reader_;
  const WantedMetadata& wanted_;
  std::set<std::string> names_;
  uint64_t n_elements_ = 0, n_text_bytes_ = 0;
};

}  // namespace

const char* gguf_type_name(GgufType type) { return kTypes[static_cast<uint32_t>(type)].name; }

GgufMetadata read_gguf_metadata(ByteReader& reader, uint64_t n_entries,
                                const WantedMetadata& wanted) {
  return MetadataReader(reader, wanted).read(n_entries);
}

std::string read_gguf_name(ByteReader& reader, ErrorCode code, const std::string& what) {
  std::string name = reader.read_string(kMaxNameBytes, what);
  if (name.empty() || name.size() > kMaxNameBytes || name.find('\0') != std::string::npos) {
    throw Error(code, what + " is empty, longer than " + std::to_string(kMaxNameBytes) +
                          " bytes or holds a zero byte");
  }
  return name;
}

std::optional<uint64_t> find_gguf_count(const GgufMetadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  if (const auto* count = std::get_if<uint64_t>(&found->second)) return *count;
  const auto* count = std::get_if<int64_t>(&found->second);
  if (count == nullptr || *count < 0) bad_metadata(key, "is no count");
  return static_cast<uint64_t>(*count);
}

}  // namespace cachalot
