#include "weights/layout_file.h"

#include <algorithm>
#include <cstring>

#include "base/cores.h"
#include "base/error.h"
#include "base/new_file.h"
#include "base/thread_pool.h"
#include "weights/byte_reader.h"

namespace cachalot {

namespace {

constexpr char kMagic[16] = "CACHALOT-LAYOUT";
constexpr uint64_t kPrefix = sizeof kMagic + 16;  // magic, checksum, length
constexpr uint64_t kPage = 4096;
constexpr uint64_t kMaxName = 256, kMaxTensors = 1 << 20;
constexpr size_t kChunk = 4 << 20;  // bytes; after each, it looks whether to stop

uint64_t round_up(uint64_t offset) { return (offset + kPage - 1) / kPage * kPage; }

/** Finds damage, but is no protection from malice: sums and sums of sums over 16 lanes of words
 * (Fletcher 1982), which compilers turn into vectors. */
uint64_t checksum(std::span<const uint8_t> bytes) {
  constexpr size_t kLanes = 16;
  uint32_t first[kLanes] = {}, second[kLanes] = {}, words[kLanes];
  const auto add = [&] {
    for (size_t i = 0; i < kLanes; i++) {
      first[i] += words[i];
      second[i] += first[i];
    }
  };
  size_t at = 0;
  for (; at + sizeof words <= bytes.size(); at += sizeof words) {
    std::memcpy(words, bytes.data() + at, sizeof words);
    add();
  }
  std::memset(words, 0, sizeof words);
  std::memcpy(words, bytes.data() + at, bytes.size() - at);
  add();
  uint64_t sum = bytes.size();
  for (size_t i = 0; i < kLanes; i++) {
    sum = (sum ^ first[i]) * 0x9e3779b97f4a7c15;
    sum = (sum ^ second[i] ^ sum >> 29) * 0xbf58476d1ce4e5b9;
  }
  return sum;
}

class HeaderWriter {
 public:
  template <typename T>
  void put(T value) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
  }
  void put_string(const std::string& text) {
    put<uint64_t>(text.size());
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

std::vector<uint64_t> checksums(const std::vector<LaidOutTensor>& tensors) {
  std::vector<uint64_t> sums(tensors.size());
  ThreadPool pool(usable_cores());
  pool.parallel_for(static_cast<int>(tensors.size()), [&](int i, int) {
    sums[static_cast<size_t>(i)] = checksum(tensors[static_cast<size_t>(i)].bytes);
  });
  return sums;
}

std::vector<uint8_t> header_of(const std::string& layout, const std::vector<LaidOutTensor>& tensors,
                               const std::vector<uint64_t>& sums, uint64_t first_offset) {
  HeaderWriter header;
  header.put_string(layout);
  header.put(static_cast<uint32_t>(tensors.size()));
  uint64_t offset = first_offset;
  for (size_t i = 0; i < tensors.size(); i++) {
    const LaidOutTensor& tensor = tensors[i];
    header.put_string(tensor.name);
    header.put(static_cast<uint32_t>(tensor.dtype));
    header.put(tensor.n_rows);
    header.put(tensor.n_cols);
    header.put(offset);
    header.put<uint64_t>(tensor.bytes.size());
    header.put(sums[i]);
    offset = round_up(offset + tensor.bytes.size());
  }
  return header.bytes();
}

/** Writes in pieces, so that the end of the engine does not wait for gigabytes. */
void write_pieces(NewFile& file, std::span<const uint8_t> bytes, const std::atomic<bool>& stop) {
  for (size_t at = 0; at < bytes.size(); at += kChunk) {
    if (stop) throw Error(ErrorCode::kAborted, "writing a layout was given up");
    file.write(bytes.subspan(at, std::min(kChunk, bytes.size() - at)));
  }
}

struct Expected {
  LaidOutTensor tensor;
  uint64_t sum;
};

/** `previous_end`: tensors must follow each other, so together they are not more than the file. */
Expected read_entry(ByteReader& reader, std::span<const uint8_t> file, uint64_t* previous_end) {
  Expected entry;
  LaidOutTensor& tensor = entry.tensor;
  tensor.name = reader.read_string(kMaxName, "a tensor's name");
  tensor.dtype = static_cast<DType>(reader.read<uint32_t>("a type"));
  tensor.n_rows = reader.read<int64_t>("a number of rows");
  tensor.n_cols = reader.read<int64_t>("a number of columns");
  const auto offset = reader.read<uint64_t>("an offset");
  const auto size = reader.read<uint64_t>("a size");
  entry.sum = reader.read<uint64_t>("a checksum");
  if (offset % kPage != 0 || offset > file.size() || size > file.size() - offset)
    throw Error(ErrorCode::kFileTensorOutOfBounds, "'" + tensor.name + "' is not in the file");
  if (offset < *previous_end)
    throw Error(ErrorCode::kFileTensorOverlap, "'" + tensor.name + "' overlaps the one before it");
  *previous_end = offset + size;
  tensor.bytes = file.subspan(offset, size);
  return entry;
}

std::span<const uint8_t> checked_header(std::span<const uint8_t> file) {
  ByteReader reader(file);
  uint8_t magic[sizeof kMagic];
  reader.read_into(magic, "the magic");
  if (std::memcmp(magic, kMagic, sizeof kMagic) != 0)
    throw Error(ErrorCode::kFileBadMagic, "it does not begin as a layout does");
  const auto sum = reader.read<uint64_t>("the header's checksum");
  const auto size = reader.read<uint64_t>("the header's length");
  reader.need(size, "the header");
  const auto header = file.subspan(reader.position(), size);
  if (checksum(header) != sum) throw Error(ErrorCode::kFileBadMetadata, "its header is damaged");
  return header;
}

/** Reads the whole layout, or throws an error. */
std::vector<LaidOutTensor> read_layout(std::span<const uint8_t> file, const std::string& layout) {
  ByteReader reader(checked_header(file));
  if (reader.read_string(kMaxName, "the layout's name") != layout)
    throw Error(ErrorCode::kFileBadVersion, "it is of another layout");
  const auto count = reader.read<uint32_t>("the number of tensors");
  if (count > kMaxTensors) throw Error(ErrorCode::kFileBadMetadata, "it has too many tensors");
  std::vector<LaidOutTensor> tensors;
  std::vector<uint64_t> expected;
  uint64_t end = 0;
  for (uint32_t i = 0; i < count; i++) {
    const Expected entry = read_entry(reader, file, &end);
    tensors.push_back(entry.tensor);
    expected.push_back(entry.sum);
  }
  const auto sums = checksums(tensors);
  for (size_t i = 0; i < tensors.size(); i++) {
    if (sums[i] != expected[i])
      throw Error(ErrorCode::kFileBadTensor, "'" + tensors[i].name + "' is damaged");
  }
  return tensors;
}

}  // namespace

LayoutFile::LayoutFile(const std::string& path, const std::string& layout)
    : file_(path, Writers::kOnlyUs) {
  try {
    for (auto& tensor : read_layout(file_.bytes(), layout)) {
      std::string name = tensor.name;
      tensors_.emplace(std::move(name), std::move(tensor));
    }
  } catch (const Error& error) {
    throw Error(error.code(), "cannot use '" + path + "': " + error.what());
  }
}

std::span<const uint8_t> LayoutFile::find(const std::string& name, const Tensor& tensor) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return {};
  const LaidOutTensor& there = found->second;
  const bool same =
      there.dtype == tensor.dtype && there.n_rows == tensor.n_rows && there.n_cols == tensor.n_cols;
  return same ? there.bytes : std::span<const uint8_t>();
}

void write_layout_file(const std::string& path, const std::string& layout,
                       const std::vector<LaidOutTensor>& tensors, const std::atomic<bool>& stop) {
  const auto sums = checksums(tensors);
  const auto size = header_of(layout, tensors, sums, 0).size();  // no offset changes it
  const uint64_t first_offset = round_up(kPrefix + size);
  const auto header = header_of(layout, tensors, sums, first_offset);
  NewFile file(path);
  HeaderWriter prefix;
  for (const char letter : kMagic) prefix.put(letter);
  prefix.put(checksum(header));
  prefix.put<uint64_t>(header.size());
  file.write(prefix.bytes());
  file.write(header);
  uint64_t offset = first_offset;
  for (const auto& tensor : tensors) {
    file.write(std::vector<uint8_t>(offset - file.size()));
    write_pieces(file, tensor.bytes, stop);
    offset = round_up(offset + tensor.bytes.size());
  }
  file.keep();
}

}  // namespace cachalot
