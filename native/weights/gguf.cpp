#include "weights/gguf.h"

#include <algorithm>

#include "base/checked_math.h"
#include "weights/span_reader.h"

namespace cachalot {

namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kMaxNameBytes = 1024;
constexpr uint64_t kMaxTextBytes = uint64_t{64}
                                   << 20;  // what JavaScript surely holds as one string
constexpr uint64_t kMaxDimensions = 4;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint64_t kMinEntryBytes = 8 + 4;               // of a metadata entry: key length, type
constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;  // of a tensor's entry, one dimension

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
  std::string text = reader.read_string(what);
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
  std::string name = reader.read_string(what);
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
uint64_t tensor_bytes(const GgufTensor& tensor, const DTypeInfo& type) {
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

GgufTensor read_tensor_entry(SpanReader& reader, uint64_t alignment) {
  GgufTensor tensor;
  tensor.name = read_name(reader, ErrorCode::kFileBadTensor, "the name of a tensor");
  const auto n_dimensions = reader.read<uint32_t>("tensor '" + tensor.name + "'");
  if (n_dimensions == 0 || n_dimensions > kMaxDimensions) {
    throw Error(ErrorCode::kFileBadTensor, "tensor '" + tensor.name + "' has " +
                                               std::to_string(n_dimensions) +
                                               " dimensions; 1 to 4 are allowed");
  }
  for (uint32_t i = 0; i < n_dimensions; i++)
    tensor.shape.push_back(reader.read<uint64_t>("tensor '" + tensor.name + "'"));
  const auto type_number = reader.read<uint32_t>("tensor '" + tensor.name + "'");
  const auto* type = find_dtype(type_number);
  if (type == nullptr) {
    throw Error(ErrorCode::kUnsupportedType, "tensor '" + tensor.name + "' has GGUF type " +
                                                 std::to_string(type_number) + "; supported are " +
                                                 supported_dtypes());
  }
  tensor.offset = reader.read<uint64_t>("tensor '" + tensor.name + "'");
  if (tensor.offset % alignment != 0) {
    throw Error(ErrorCode::kFileBadAlignment,
                "tensor '" + tensor.name + "' starts at offset " + std::to_string(tensor.offset) +
                    ", not a multiple of " + std::to_string(alignment));
  }
  tensor.bytes = tensor_bytes(tensor, *type);
  tensor.tensor.dtype = type->dtype;
  tensor.tensor.n_cols = static_cast<int64_t>(tensor.shape[0]);
  tensor.tensor.n_rows = 1;
  for (size_t i = 1; i < tensor.shape.size(); i++)
    tensor.tensor.n_rows *= static_cast<int64_t>(tensor.shape[i]);
  return tensor;
}

/** Each tensor lies inside the data, and no two share a byte. */
void check_placement(const std::vector<GgufTensor>& tensors, uint64_t data_bytes,
                     uint64_t alignment) {
  std::vector<const GgufTensor*> order;
  std::optional<uint64_t> packed =
      0;  // where the data would end if the tensors stood one after the other
  for (const auto& tensor : tensors) {
    order.push_back(&tensor);
    const auto size = checked_round_up(tensor.bytes, alignment);
    packed = packed && size ? checked_add(*packed, *size) : std::nullopt;
  }
  for (const auto* tensor : order) {
    const auto end = checked_add(tensor->offset, tensor->bytes);
    if (end && *end <= data_bytes) continue;
    const std::string where = "tensor '" + tensor->name + "' of " + std::to_string(tensor->bytes) +
                              " bytes at offset " + std::to_string(tensor->offset) +
                              " ends outside the " + std::to_string(data_bytes) +
                              " bytes of tensor data";
    if (end && packed && *end <= *packed) {
      throw Error(ErrorCode::kFileTruncated, where + ": the file is cut off; download it again");
    }
    throw Error(ErrorCode::kFileTensorOutOfBounds, where);
  }
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); i++) {
    if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
      throw Error(ErrorCode::kFileTensorOverlap, "tensors '" + order[i - 1]->name + "' and '" +
                                                     order[i]->name + "' overlap in the file");
    }
  }
}

}  // namespace

GgufFile::GgufFile(const std::string& path) : file_(path) {
  try {
    parse();
  } catch (const Error& error) {
    throw Error(error.code(), "cannot read '" + path + "': " + error.what());
  }
}

void GgufFile::parse() {
  SpanReader reader(file_.bytes());
  if (reader.remaining() < 4 || reader.read<uint32_t>("the magic number") != kMagic) {
    throw Error(ErrorCode::kFileBadMagic,
                "it does not begin with 'GGUF', so it is not a GGUF model");
  }
  version_ = reader.read<uint32_t>("the version");
  if (version_ != 2 && version_ != 3) {
    throw Error(ErrorCode::kFileBadVersion,
                "GGUF version " + std::to_string(version_) +
                    " is not supported; versions 2 and 3 (little-endian) are");
  }
  const auto n_tensors = reader.read<uint64_t>("the number of tensors");
  const auto n_entries = reader.read<uint64_t>("the number of metadata entries");
  reader.need(checked_multiply(n_entries, kMinEntryBytes).value_or(UINT64_MAX), "the metadata");
  for (uint64_t i = 0; i < n_entries; i++) {
    std::string key = read_name(reader, ErrorCode::kFileBadMetadata, "a metadata key");
    GgufValue value = read_value(reader, key);
    if (!metadata_.emplace(key, std::move(value)).second) {
      throw Error(ErrorCode::kFileDuplicateKey, "metadata '" + key + "' appears twice");
    }
  }
  const uint64_t alignment = read_alignment(metadata_);
  reader.need(checked_multiply(n_tensors, kMinTensorBytes).value_or(UINT64_MAX),
              "the list of tensors");
  for (uint64_t i = 0; i < n_tensors; i++) {
    tensors_.push_back(read_tensor_entry(reader, alignment));
    if (!tensor_index_.emplace(tensors_.back().name, i).second) {
      throw Error(ErrorCode::kFileDuplicateTensor,
                  "tensor '" + tensors_.back().name + "' appears twice");
    }
  }
  const uint64_t data_start = *checked_round_up(reader.position(), alignment);
  const uint64_t file_bytes = file_.bytes().size();
  const uint64_t data_bytes = file_bytes > data_start ? file_bytes - data_start : 0;
  check_placement(tensors_, data_bytes, alignment);
  for (auto& tensor : tensors_)
    tensor.tensor.data = file_.bytes().data() + data_start + tensor.offset;
}

const GgufValue* GgufFile::find(const std::string& key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

const GgufTensor* GgufFile::find_tensor(const std::string& name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace cachalot
