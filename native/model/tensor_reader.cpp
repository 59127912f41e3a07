#include "model/tensor_reader.h"

#include "base/error.h"

namespace cachalot {

namespace {

// A step reads all matrices of floats, so in memory of our own they take no more room than mapped.
// But reading them takes a tenth of a second, and processes that load the same model no longer
// share them; with more bytes than this, users would notice both. Tables of quantized models stay
// mapped, because a text touches few of their rows.
constexpr uint64_t kMaxFloatsInMemory = uint64_t{256} << 20;

std::span<uint8_t> beginning(const MemoryRegion& region, uint64_t bytes) {
  return {region.data(), static_cast<size_t>(bytes)};
}

}  // namespace

void WatchedFiles::check() const {
  for (const auto& file : files_) {
    if (file->is_modified()) {
      throw Error(ErrorCode::kModelChanged,
                  "'" + file->path() +
                      "' was written to or cut off while it was loaded: a model in use must be "
                      "replaced by another file, not overwritten");
    }
  }
}

TensorReader::TensorReader(const TensorMap& tensors, const Backend& backend) : backend_(backend) {
  for (const auto& [name, stored] : tensors) {
    if (is_float(stored.tensor.dtype)) float_bytes_ += stored.bytes();
    if (stored.file != nullptr) all_.add(stored.file);
  }
}

Tensor TensorReader::read(const StoredTensor& stored, WeightUse use) {
  Tensor tensor = stored.tensor;
  if (stored.file == nullptr) return tensor;
  if (!backend_.reads_in_place(tensor.dtype, use)) {
    if (scratch_.size() < stored.bytes()) scratch_ = MemoryRegion(stored.bytes());
    scratch_.decommit(stored.bytes(), scratch_.size() - stored.bytes());  // of a larger one before
    stored.read(beginning(scratch_, stored.bytes()));
    tensor.data = scratch_.data();
  } else if (is_float(tensor.dtype) && float_bytes_ <= kMaxFloatsInMemory) {
    auto [kept, is_new] = kept_.try_emplace(stored.name);
    if (is_new) {
      kept->second = MemoryRegion(stored.bytes());
      stored.read(beginning(kept->second, stored.bytes()));
    }
    tensor.data = kept->second.data();
  } else {
    watched_.add(stored.file);
  }
  return tensor;
}

}  // namespace cachalot
