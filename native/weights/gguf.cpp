#include "weights/gguf.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/checked_math.h"
#include "weights/span_reader.h"

namespace cachalot {

namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kMaxNameBytes = 1024;
constexpr uint64_t kMaxTextBytes = uint64_t{64}
                                   << 20;  // what JavaScript surely holds as one string
constexpr uint64_t kMaxDimensions = 4;
constexpr uint64_t kMaxElements = 1 << 23;  // of an array: twenty times the largest vocabulary
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint64_t kMinEntryBytes = 8 + 4;               // of a metadata entry: key length, type
constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;  // of a tensor's entry, one dimension

/** A tensor and where its data stand, from the start of all tensor data. */
struct Entry {
  StoredTensor stored;
  uint64_t offset, bytes;
};

/** Bytes of a metadata scalar; 0 for strings, arrays and unknown types. */
uint64_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32: return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64: return 8;
    default: return 0;
  }
}

GgufValue read_scalar(SpanReader& reader, GgufType type, const std::string& key) {
  switch (type) {
    case GgufType::kU8: return uint64_t{reader.read<uint8_t>(key)};
    case GgufType::kU16: return uint64_t{reader.read<uint16_t>(key)};
    case GgufType::kU32: return uint64_t{reader.read<uint32_t>(key)};
    case GgufType::kU64: return reader.read<uint64_t>(key);
    case GgufType::kI8: return int64_t{reader.read<int8_t>(key)};
    case GgufType::kI16: return int64_t{reader.read<int16_t>(key)};
    case GgufType::kI32: return int64_t{reader.read<int32_t>(key)};
    case GgufType::kI64: return reader.read<int64_t>(key);
    case GgufType::kF32: return double{reader.read<float>(key)};
    case GgufType::kF64: return reader.read<double>(key);
    case GgufType::kBool: return reader.read<uint8_t>(key) != 0;
    default:
      throw Error(ErrorCode::kFileBadMetadata, "metadata '" + key + "' has unknown value type " +
                                                   std::to_string(static_cast<uint32_t>(type)));
  }
}

double as_number(const GgufValue& value) {
  if (const auto* u = std::get_if<uint64_t>(&value)) return static_cast<double>(*u);
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? 1 : 0;
  return std::get<double>(value);
}

std::string read_text(SpanReader& reader, const std::string& what) {
  std::string text = reader.read_string(kMaxTextBytes, what);
  if (text.size() > kMaxTextBytes) {
    throw Error(ErrorCode::kFileBadMetadata,
                what + " is longer than " + std::to_string(kMaxTextBytes) + " bytes");
  }
  return text;
}

GgufValue read_array(SpanReader& reader, const std::string& key) {
  auto array = std::make_shared<GgufArray>();
  array->type = static_cast<GgufType>(reader.read<uint32_t>(key));
  const auto count = reader.read<uint64_t>(key);
  const bool strings = array->type == GgufType::kString;
  const uint64_t element = strings ? 8 : scalar_bytes(array->type);
  if (element == 0) {
    throw Error(ErrorCode::kFileBadMetadata,
                "metadata '" + key + "' is an array of unsupported type " +
                    std::to_string(static_cast<uint32_t>(array->type)));
  }
  const auto bytes = checked_multiply(count, element);
  reader.need(bytes.value_or(UINT64_MAX),
              "metadata array '" + key + "'");  // before anything is reserved for it
  if (count > kMaxElements) {  // sparse files cost nothing, what is read from them does
    throw Error(ErrorCode::kFileBadMetadata, "metadata array '" + key + "' has " +
                                                 std::to_string(count) + " elements; at most " +
                                                 std::to_string(kMaxElements) + " are allowed");
  }
  if (strings) array->strings.reserve(count);
  else array->numbers.reserve(count);
  for (uint64_t i = 0; i < count; i++) {
    if (strings) array->strings.push_back(read_text(reader, key));
    else array->numbers.push_back(as_number(read_scalar(reader, array->type, key)));
  }
  return array;
}

GgufValue read_value(SpanReader& reader, const std::string& key) {
  const auto type =
      static_cast<GgufType>(reader.read<uint32_t>("the type of metadata '" + key + "'"));
  if (type == GgufType::kString) return read_text(reader, "metadata '" + key + "'");
  if (type == GgufType::kArray) return read_array(reader, key);
  return read_scalar(reader, type, key);
}

std::string read_name(SpanReader& reader, ErrorCode code, const std::string& what) {
  std::string name = reader.read_string(kMaxNameBytes, what);
  if (name.empty() || name.size() > kMaxNameBytes || name.find('\0') != std::string::npos) {
    throw Error(code, what + " is empty, longer than " + std::to_string(kMaxNameBytes) +
                          " bytes or holds a zero byte");
  }
  return name;
}

uint64_t read_alignment(const std::map<std::string, GgufValue>& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return 32;
  const auto* value = std::get_if<uint64_t>(&found->second);
  if (value == nullptr || *value < 8 || *value > kMaxAlignment || (*value & (*value - 1)) != 0) {
    throw Error(ErrorCode::kFileBadAlignment,
                "general.alignment must be a power of two from 8 to 1048576");
  }
  return *value;
}

/** Size in bytes, or a file_bad_tensor error. */
uint64_t tensor_bytes(const StoredTensor& tensor, const DTypeInfo& type) {
  std::optional<uint64_t> elements = 1;
  for (const uint64_t dimension : tensor.shape) {
    if (elements) elements = checked_multiply(*elements, dimension);
  }
  const auto bytes =
      elements ? checked_multiply(*elements / type.block_size, type.block_bytes) : std::nullopt;
  if (!bytes || *elements > INT64_MAX || *bytes > INT64_MAX || *elements == 0) {
    throw Error(ErrorCode::kFileBadTensor,
                "tensor '" + tensor.name + "' has a dimension of 0 or is larger than 2^63 bytes");
  }
  if (tensor.shape[0] % type.block_size != 0) {
    throw Error(ErrorCode::kFileBadTensor, "tensor '" + tensor.name + "' of type " + type.name +
                                               " has rows of " + std::to_string(tensor.shape[0]) +
                                               " elements, not a multiple of " +
                                               std::to_string(type.block_size));
  }
  return *bytes;
}

Entry read_tensor_entry(SpanReader& reader, uint64_t alignment) {
  Entry entry{};
  StoredTensor& stored = entry.stored;
  stored.name = read_name(reader, ErrorCode::kFileBadTensor, "the name of a tensor");
  const std::string what = "tensor '" + stored.name + "'";
  const auto n_dimensions = reader.read<uint32_t>(what);
  if (n_dimensions == 0 || n_dimensions > kMaxDimensions) {
    throw Error(ErrorCode::kFileBadTensor,
                what + " has " + std::to_string(n_dimensions) + " dimensions; 1 to 4 are allowed");
  }
  for (uint32_t i = 0; i < n_dimensions; i++) stored.shape.push_back(reader.read<uint64_t>(what));
  const auto type_number = reader.read<uint32_t>(what);
  const auto* type = find_dtype(type_number);
  if (type == nullptr) {
    throw Error(ErrorCode::kUnsupportedType, what + " has GGUF type " +
                                                 std::to_string(type_number) + "; supported are " +
                                                 supported_dtypes());
  }
  entry.offset = reader.read<uint64_t>(what);
  if (entry.offset % alignment != 0) {
    throw Error(ErrorCode::kFileBadAlignment,
                what + " starts at offset " + std::to_string(entry.offset) +
                    ", not a multiple of " + std::to_string(alignment));
  }
  entry.bytes = tensor_bytes(stored, *type);
  stored.tensor.dtype = type->dtype;
  stored.tensor.n_cols = static_cast<int64_t>(stored.shape[0]);
  stored.tensor.n_rows = 1;
  for (size_t i = 1; i < stored.shape.size(); i++)
    stored.tensor.n_rows *= static_cast<int64_t>(stored.shape[i]);
  return entry;
}

/** Each tensor lies inside the data, and no two share a byte. */
void check_placement(const std::vector<Entry>& entries, uint64_t data_bytes, uint64_t alignment) {
  std::vector<const Entry*> order;
  std::optional<uint64_t> packed =
      0;  // where the data would end if the tensors stood one after the other
  for (const auto& entry : entries) {
    order.push_back(&entry);
    const auto size = checked_round_up(entry.bytes, alignment);
    packed = packed && size ? checked_add(*packed, *size) : std::nullopt;
  }
  for (const auto* entry : order) {
    const auto end = checked_add(entry->offset, entry->bytes);
    if (end && *end <= data_bytes) continue;
    const std::string where = "tensor '" + entry->stored.name + "' of " +
                              std::to_string(entry->bytes) + " bytes at offset " +
                              std::to_string(entry->offset) + " ends outside the " +
                              std::to_string(data_bytes) + " bytes of tensor data";
    if (end && packed && *end <= *packed) {
      throw Error(ErrorCode::kFileTruncated, where + ": the file is cut off; download it again");
    }
    throw Error(ErrorCode::kFileTensorOutOfBounds, where);
  }
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); i++) {
    if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
      throw Error(ErrorCode::kFileTensorOverlap, "tensors '" + order[i - 1]->stored.name +
                                                     "' and '" + order[i]->stored.name +
                                                     "' overlap in the file");
    }
  }
}

void read_metadata(SpanReader& reader, uint64_t n_entries, GgufFile* file) {
  reader.need(checked_multiply(n_entries, kMinEntryBytes).value_or(UINT64_MAX), "the metadata");
  for (uint64_t i = 0; i < n_entries; i++) {
    std::string key = read_name(reader, ErrorCode::kFileBadMetadata, "a metadata key");
    GgufValue value = read_value(reader, key);
    if (!file->metadata.emplace(key, std::move(value)).second) {
      throw Error(ErrorCode::kFileDuplicateKey, "metadata '" + key + "' appears twice");
    }
  }
}

std::vector<Entry> read_tensor_entries(SpanReader& reader, uint64_t n_tensors, uint64_t alignment) {
  reader.need(checked_multiply(n_tensors, kMinTensorBytes).value_or(UINT64_MAX),
              "the list of tensors");
  std::vector<Entry> entries;
  std::set<std::string> names;
  for (uint64_t i = 0; i < n_tensors; i++) {
    entries.push_back(read_tensor_entry(reader, alignment));
    const std::string& name = entries.back().stored.name;
    if (!names.insert(name).second) {
      throw Error(ErrorCode::kFileDuplicateTensor, "tensor '" + name + "' appears twice");
    }
  }
  return entries;
}

}  // namespace

GgufFile parse_gguf(std::span<const uint8_t> bytes) {
  GgufFile file;
  SpanReader reader(bytes);
  if (reader.remaining() < 4 || reader.read<uint32_t>("the magic number") != kMagic) {
    throw Error(ErrorCode::kFileBadMagic,
                "it does not begin with 'GGUF', so it is not a GGUF model");
  }
  file.version = reader.read<uint32_t>("the version");
  if (file.version != 2 && file.version != 3) {
    throw Error(ErrorCode::kFileBadVersion,
                "GGUF version " + std::to_string(file.version) +
                    " is not supported; versions 2 and 3 (little-endian) are");
  }
  const auto n_tensors = reader.read<uint64_t>("the number of tensors");
  const auto n_entries = reader.read<uint64_t>("the number of metadata entries");
  read_metadata(reader, n_entries, &file);
  const uint64_t alignment = read_alignment(file.metadata);
  auto entries = read_tensor_entries(reader, n_tensors, alignment);
  const uint64_t data_start = *checked_round_up(reader.position(), alignment);
  file.data_offset = data_start;
  check_placement(entries, bytes.size() > data_start ? bytes.size() - data_start : 0, alignment);
  for (auto& entry : entries) {
    entry.stored.tensor.data = bytes.data() + data_start + entry.offset;
    file.tensors.push_back(std::move(entry.stored));
  }
  return file;
}

GgufFile read_gguf(const std::string& path) {
  const auto mapped = std::make_shared<const MappedFile>(path);
  try {
    GgufFile file = parse_gguf(mapped->bytes());
    for (auto& tensor : file.tensors) tensor.file = mapped;
    return file;
  } catch (const Error& error) {
    throw Error(error.code(), "cannot read '" + path + "': " + error.what());
  }
}

const GgufValue* GgufFile::find(const std::string& key) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? nullptr : &found->second;
}

}  // namespace cachalot
