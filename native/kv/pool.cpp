#include "kv/pool.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr size_t kWarmBytes = size_t{64} << 20;  // free memory kept for the next requests
constexpr size_t kMaxBytes = (size_t{1} << 32) * kKvAddressUnit;  // the reach of an address

}  // namespace

size_t slab_bytes_of(std::span<const KvShape> classes) {
  size_t bytes = 0;
  for (const auto& [layout, n_layers, n_kv_heads] : classes)
    bytes +=
        static_cast<size_t>(n_layers) * static_cast<size_t>(n_kv_heads) * kv_block_bytes(layout);
  return bytes;
}

KvPool::KvPool(Backend& backend, std::span<const KvShape> classes, size_t bytes)
    : slab_bytes_(slab_bytes_of(classes)) {
  if (bytes < slab_bytes_) {
    throw Error(ErrorCode::kKvBudgetExceeded, "`kv.bytes` is " + std::to_string(bytes) +
                                                  ", but the KV of 32 tokens needs " +
                                                  std::to_string(slab_bytes_));
  }
  n_slabs_ = static_cast<int>(std::min(bytes / slab_bytes_, kMaxBytes / slab_bytes_));
  buffer_ = backend.allocate(this->bytes());
  uint8_t* base = buffer_->data();
  for (size_t i = 0; i < classes.size(); i++) {
    const auto& [layout, n_layers, n_kv_heads] = classes[i];
    stores_.push_back({base, layout, n_layers, n_kv_heads});
    edited_stores_.push_back({buffer_->data(),
                              kv_layout(layout.k, layout.v, layout.head_dim, KvBlockKind::kEdited),
                              n_layers, n_kv_heads});
    base += slab_bytes_of(classes.subspan(i, 1));
  }
  // So that freeing a slab needs no memory.
  warm_.reserve(static_cast<size_t>(n_slabs_));
  cold_.reserve(static_cast<size_t>(n_slabs_));
}

std::optional<uint32_t> KvPool::allocate() {
  if (is_full()) return std::nullopt;
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
