#include "weights/gguf.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/checked_math.h"

namespace cachalot {

namespace {

constexpr uint32_t kMagic = 0x46554747;         // "GGUF"
constexpr uint32_t kSwappedMagic = 0x47475546;  // "FUGG"
constexpr uint64_t kMaxDimensions = 4;
constexpr uint64_t kMaxTensors = 1 << 18;  // the largest mixtures of experts have some 40,000
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;  // a tensor's entry with one dimension

/** A tensor and the offset of its data from the start of all tensor data. */
struct Entry {
  StoredTensor stored;
  uint64_t offset, bytes;
};

uint64_t read_alignment(const GgufMetadata& metadata) {
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

Entry read_tensor_entry(ByteReader& reader, uint64_t alignment) {
  Entry entry{};
  StoredTensor& stored = entry.stored;
  stored.name = read_gguf_name(reader, ErrorCode::kFileBadTensor, "the name of a tensor");
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
      0;  // the end of the data if the tensors stood one after the other
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

std::vector<Entry> read_tensor_entries(ByteReader& reader, uint64_t n_tensors, uint64_t alignment) {
  reader.need(checked_multiply(n_tensors, kMinTensorBytes).value_or(UINT64_MAX),
              "the list of tensors");
  if (n_tensors > kMaxTensors) {
    throw Error(ErrorCode::kFileBadTensor, "the file has " + std::to_string(n_tensors) +
                                               " tensors; at most " + std::to_string(kMaxTensors) +
                                               " are allowed");
  }
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

uint32_t read_version(ByteReader& reader) {
  const uint32_t magic = reader.remaining() < 4 ? 0 : reader.read<uint32_t>("the magic number");
  if (magic != kMagic && magic != kSwappedMagic) {
    throw Error(ErrorCode::kFileBadMagic,
                "it does not begin with 'GGUF', so it is not a GGUF model");
  }
  const auto version = reader.read<uint32_t>("the version");
  // Files of big-endian machines have the same four letters, and all numbers the other way round.
  if (magic == kSwappedMagic || (version != 0 && (version & 0xffff) == 0)) {
    throw Error(ErrorCode::kFileBadVersion,
                "this GGUF file is big-endian, and only little-endian ones are supported; convert "
                "it with gguf_convert_endian.py of llama.cpp, or get the little-endian file");
  }
  if (version != 2 && version != 3) {
    throw Error(ErrorCode::kFileBadVersion,
                "GGUF version " + std::to_string(version) +
                    " is not supported; versions 2 and 3 (little-endian) are");
  }
  return version;
}

/** `bytes`: the whole file. Tensors will point into it; it is not read here. */
GgufFile parse(ByteReader& reader, std::span<const uint8_t> bytes, const WantedMetadata& wanted) {
  GgufFile file;
  file.version = read_version(reader);
  const auto n_tensors = reader.read<uint64_t>("the number of tensors");
  const auto n_entries = reader.read<uint64_t>("the number of metadata entries");
  file.metadata_offset = reader.position();
  file.metadata = read_gguf_metadata(reader, n_entries, wanted);
  file.metadata_end = reader.position();
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

}  // namespace

GgufFile parse_gguf(std::span<const uint8_t> bytes, const WantedMetadata& wanted) {
  ByteReader reader(bytes);
  return parse(reader, bytes, wanted);
}

GgufFile read_gguf_file(const std::string& path, const WantedMetadata& wanted) {
  const auto mapped = std::make_shared<const MappedFile>(path);
  try {
    ByteReader reader(*mapped);
    GgufFile file = parse(reader, mapped->bytes(), wanted);
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
