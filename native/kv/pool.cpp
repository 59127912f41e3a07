#include "kv/pool.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr size_t kWarmBytes = size_t{64} << 20;  // free memory kept for the next requests
constexpr size_t kMaxUnits = size_t{1} << 32;    // the reach of a 32-bit address

}  // namespace

KvPool::KvPool(Backend& backend, const KvShape& shape, size_t bytes) {
  const uint32_t block_units = kv_block_units(shape.format, shape.head_dim);
  slab_units_ =
      static_cast<size_t>(shape.n_layers) * static_cast<size_t>(shape.n_kv_heads) * block_units;
  slab_bytes_ = slab_units_ * kKvAddressUnit;
  if (bytes < slab_bytes_) {
    throw Error(ErrorCode::kKvBudgetExceeded, "`kv.bytes` is " + std::to_string(bytes) +
                                                  ", but the KV of 32 tokens needs " +
                                                  std::to_string(slab_bytes_));
  }
  n_slabs_ = static_cast<int>(std::min(bytes / slab_bytes_, kMaxUnits / slab_units_));
  buffer_ = backend.allocate(static_cast<size_t>(n_slabs_) * slab_bytes_);
  store_ = {buffer_->data(),  shape.format,   shape.n_layers,
            shape.n_kv_heads, shape.head_dim, block_units};
  // So that freeing a slab needs no memory.
  warm_.reserve(static_cast<size_t>(n_slabs_));
  cold_.reserve(static_cast<size_t>(n_slabs_));
}

std::optional<uint32_t> KvPool::allocate() {
  if (n_allocated_ == n_slabs_) return std::nullopt;
  n_allocated_++;
  for (auto* list : {&warm_, &cold_}) {
    if (list->empty()) continue;
    const uint32_t slab = list->back();
    list->pop_back();
    return slab;
  }
  return address(n_touched_++);
}

void KvPool::free(uint32_t slab) {
  CHECK(n_allocated_ > 0, "a slab is freed once");
  n_allocated_--;
  // All bits set are a NaN in every format.
  if (poisons_) buffer_->fill(slab * kKvAddressUnit, slab_bytes_, 0xff);
  if (warm_.size() * slab_bytes_ < kWarmBytes) {
    warm_.push_back(slab);
  } else {
    buffer_->decommit(slab * kKvAddressUnit, slab_bytes_);
    cold_.push_back(slab);
  }
}

std::vector<uint32_t> KvPool::free_slabs() const {
  std::vector<uint32_t> slabs = warm_;
  slabs.insert(slabs.end(), cold_.begin(), cold_.end());
  return slabs;
}

}  // namespace cachalot
