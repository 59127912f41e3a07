#include "weights/safetensors.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "base/checked_math.h"
#include "base/error.h"
#include "base/json.h"
#include "weights/byte_reader.h"

namespace cachalot {

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr size_t kMaxDimensions = 8;
constexpr size_t kMaxNameBytes = 1024;
constexpr double kMaxExactInteger = 9007199254740992.0;  // 2^53: JSON numbers are doubles

[[noreturn]] void bad_tensor(const std::string& name, const std::string& what) {
  throw Error(ErrorCode::kFileBadTensor, "tensor '" + name + "' " + what);
}

struct Range {
  uint64_t begin, end;
};

struct Entry {
  StoredTensor stored;
  Range range;
};

std::optional<uint64_t> as_integer(const JsonValue& value) {
  const double* number = value.number();
  if (number == nullptr || *number < 0 || *number > kMaxExactInteger ||
      *number != static_cast<double>(static_cast<uint64_t>(*number))) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(*number);
}

DType read_dtype(const std::string& name, const JsonValue& entry) {
  const JsonValue* value = entry.find("dtype");
  const std::string* dtype = value == nullptr ? nullptr : value->text();
  if (dtype == nullptr) bad_tensor(name, "has no dtype");
  if (*dtype == "F32") return DType::kF32;
  if (*dtype == "F16") return DType::kF16;
  if (*dtype == "BF16") return DType::kBF16;
  throw Error(ErrorCode::kUnsupportedType, "tensor '" + name + "' has safetensors type " +
                                               dtype->substr(0, 32) +
                                               "; supported are F32, F16, BF16");
}

/** Fastest-running dimension first; a scalar has one dimension of 1. */
std::vector<uint64_t> read_shape(const std::string& name, const JsonValue& entry) {
  const JsonValue* value = entry.find("shape");
  const JsonArray* dimensions = value == nullptr ? nullptr : value->array();
  if (dimensions == nullptr || dimensions->size() > kMaxDimensions)
    bad_tensor(name, "has no shape of at most 8 dimensions");
  std::vector<uint64_t> shape;
  for (auto dimension = dimensions->rbegin(); dimension != dimensions->rend(); ++dimension) {
    const auto size = as_integer(*dimension);
    if (!size || *size == 0) bad_tensor(name, "has a dimension that is no positive integer");
    shape.push_back(*size);
  }
  if (shape.empty()) shape.push_back(1);
  return shape;
}

Range read_range(const std::string& name, const JsonValue& entry, uint64_t data_bytes) {
  const JsonValue* value = entry.find("data_offsets");
  const JsonArray* pair = value == nullptr ? nullptr : value->array();
  if (pair == nullptr || pair->size() != 2) bad_tensor(name, "has no pair of data_offsets");
  const auto begin = as_integer((*pair)[0]), end = as_integer((*pair)[1]);
  if (!begin || !end || *begin > *end) bad_tensor(name, "has data_offsets that are no range");
  if (*end > data_bytes) {
    throw Error(ErrorCode::kFileTruncated,
                "tensor '" + name + "' ends at byte " + std::to_string(*end) + " of " +
                    std::to_string(data_bytes) + ": the file is cut off; download it again");
  }
  return {*begin, *end};
}

Entry read_entry(const std::string& name, const JsonValue& json, uint64_t data_bytes) {
  if (name.empty() || name.size() > kMaxNameBytes)
    bad_tensor(name.substr(0, 64), "has no usable name");
  Entry entry{};
  entry.stored.name = name;
  entry.stored.shape = read_shape(name, json);
  entry.range = read_range(name, json, data_bytes);
  Tensor& tensor = entry.stored.tensor;
  tensor.dtype = read_dtype(name, json);
  std::optional<uint64_t> bytes = dtype_info(tensor.dtype).block_bytes;
  for (const uint64_t dimension : entry.stored.shape) {
    if (bytes) bytes = checked_multiply(*bytes, dimension);
  }
  if (!bytes || *bytes != entry.range.end - entry.range.begin)
    bad_tensor(name, "has data_offsets that do not fit its shape");
  if (entry.range.begin % dtype_info(tensor.dtype).block_bytes != 0) {
    throw Error(ErrorCode::kFileBadAlignment, "tensor '" + name + "' starts at byte " +
                                                  std::to_string(entry.range.begin) +
                                                  ", not a multiple of its element's size");
  }
  tensor.n_cols = static_cast<int64_t>(entry.stored.shape[0]);
  tensor.n_rows = 1;
  for (size_t i = 1; i < entry.stored.shape.size(); i++)
    tensor.n_rows *= static_cast<int64_t>(entry.stored.shape[i]);
  return entry;
}

/** Checks that the ranges follow one another from 0 to the end, so each byte is in one range. */
void check_coverage(const std::vector<Entry>& entries, uint64_t data_bytes) {
  std::vector<const Entry*> order;
  for (const auto& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->range.begin < b->range.begin; });
  uint64_t end = 0;
  for (const auto* entry : order) {
    if (entry->range.begin < end) {
      throw Error(ErrorCode::kFileTensorOverlap,
                  "tensor '" + entry->stored.name + "' overlaps the one before it");
    }
    if (entry->range.begin > end)
      bad_tensor(entry->stored.name, "leaves a hole of unnamed bytes before it");
    end = entry->range.end;
  }
  if (end != data_bytes) {
    throw Error(ErrorCode::kFileBadMetadata, "the tensors end at byte " + std::to_string(end) +
                                                 " of " + std::to_string(data_bytes));
  }
}

std::string in_file(const std::string& path, const Error& error) {
  return "cannot read '" + path + "': " + error.what();
}

JsonValue read_header(ByteReader& reader) {
  if (reader.remaining() < 8 + 2) throw Error(ErrorCode::kFileTruncated, "the file has no header");
  const auto header_bytes = reader.read<uint64_t>("the header's size");
  if (header_bytes > kMaxHeaderBytes) {
    throw Error(ErrorCode::kFileBadMagic,
                "it does not begin with a JSON header, so it is not a safetensors file");
  }
  if (header_bytes > reader.remaining()) {
    throw Error(ErrorCode::kFileTruncated,
                "the header of " + std::to_string(header_bytes) + " bytes is cut off");
  }
  std::vector<uint8_t> text(header_bytes);
  reader.read_into(text, "the header");
  if (text.empty() || text.front() != '{') {
    throw Error(ErrorCode::kFileBadMagic,
                "it does not begin with a JSON header, so it is not a safetensors file");
  }
  if (header_bytes % 4 != 0) {  // the data follow it, and floats must be aligned
    throw Error(ErrorCode::kFileBadAlignment, "the header's size is not a multiple of 4");
  }
  JsonValue header = parse_json(text);
  if (header.object() == nullptr)
    throw Error(ErrorCode::kFileBadMetadata, "the header is no JSON object");
  return header;
}

/** `bytes`: the whole file. Tensors will point into it; it is not read here. */
std::vector<StoredTensor> parse(ByteReader& reader, std::span<const uint8_t> bytes) {
  const JsonValue header = read_header(reader);
  const auto data = bytes.subspan(reader.position());
  std::vector<Entry> entries;
  for (const auto& [name, entry] : *header.object()) {
    if (name == "__metadata__") continue;
    entries.push_back(read_entry(name, entry, data.size()));
  }
  check_coverage(entries, data.size());
  std::vector<StoredTensor> tensors;
  for (auto& entry : entries) {
    entry.stored.tensor.data = data.data() + entry.range.begin;
    tensors.push_back(std::move(entry.stored));
  }
  return tensors;
}

}  // namespace

std::vector<StoredTensor> parse_safetensors(std::span<const uint8_t> bytes) {
  ByteReader reader(bytes);
  return parse(reader, bytes);
}

std::vector<StoredTensor> read_safetensors(const std::string& path) {
  const auto mapped = std::make_shared<const MappedFile>(path);
  try {
    ByteReader reader(*mapped);
    auto tensors = parse(reader, mapped->bytes());
    for (auto& tensor : tensors) tensor.file = mapped;
    return tensors;
  } catch (const Error& error) {
    throw Error(error.code(), in_file(path, error));
  }
}

std::map<std::string, std::string> parse_shard_index(std::span<const uint8_t> text) {
  const JsonValue json = parse_json(text);
  const JsonValue* map = json.find("weight_map");
  if (map == nullptr || map->object() == nullptr || map->object()->empty())
    throw Error(ErrorCode::kFileBadMetadata, "the index has no 'weight_map'");
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, value] : *map->object()) {
    const std::string* file = value.text();
    // A plain name: a file of the folder, and nothing else on this machine.
    if (file == nullptr || file->empty() || file->front() == '.' ||
        file->find_first_of(std::string("/\\:\0", 4)) != std::string::npos) {
      throw Error(ErrorCode::kFileBadMetadata,
                  "the index puts tensor '" + tensor + "' into a file that is no plain name");
    }
    shards[tensor] = *file;
  }
  return shards;
}

std::vector<StoredTensor> read_safetensors_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  const std::string index_path = (fs::path(folder) / "model.safetensors.index.json").string();
  std::error_code unreadable;  // opening a file says why
  if (!fs::exists(index_path, unreadable)) {
    return read_safetensors((fs::path(folder) / "model.safetensors").string());
  }
  std::map<std::string, std::string> shards;
  try {
    shards = parse_shard_index(read_whole_file(index_path, kMaxHeaderBytes));
  } catch (const Error& error) {
    throw Error(error.code(), in_file(index_path, error));
  }
  std::set<std::string> files;
  for (const auto& [tensor, file] : shards) files.insert(file);
  std::vector<StoredTensor> tensors;
  for (const auto& file : files) {
    for (auto& tensor : read_safetensors((fs::path(folder) / file).string())) {
      const auto listed = shards.find(tensor.name);
      if (listed == shards.end() || listed->second != file) {
        throw Error(ErrorCode::kFileDuplicateTensor, "tensor '" + tensor.name + "' is in '" + file +
                                                         "', but the index says otherwise");
      }
      shards.erase(listed);
      tensors.push_back(std::move(tensor));
    }
  }
  if (!shards.empty()) {
    throw Error(ErrorCode::kModelMissingTensor, "tensor '" + shards.begin()->first +
                                                    "' is not in '" + shards.begin()->second +
                                                    "' as the index says");
  }
  return tensors;
}

}  // namespace cachalot
