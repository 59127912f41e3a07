#include "kv/pool.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace cachalot {

namespace {

constexpr size_t kWarmBytes = size_t{64} << 20;  // free memory kept for the next requests
constexpr size_t kMaxUnits = size_t{1} << 32;    // what a 32-bit address reaches

}  // namespace

KvPool::KvPool(Backend& backend, const KvShape& shape, size_t bytes) {
  const uint32_t block_units = kv_block_units(shape.format, shape.head_dim);
  run_units_ =
      static_cast<size_t>(shape.n_layers) * static_cast<size_t>(shape.n_kv_heads) * block_units;
  run_bytes_ = run_units_ * kKvAddressUnit;
  if (bytes < run_bytes_) {
    throw Error(ErrorCode::kKvBudgetExceeded, "`kv.bytes` is " + std::to_string(bytes) +
                                                  ", but the KV of 32 tokens needs " +
                                                  std::to_string(run_bytes_));
  }
  n_runs_ = static_cast<int>(std::min(bytes / run_bytes_, kMaxUnits / run_units_));
  buffer_ = backend.allocate(static_cast<size_t>(n_runs_) * run_bytes_);
  store_ = {buffer_->data(),  shape.format,   shape.n_layers,
            shape.n_kv_heads, shape.head_dim, block_units};
  // So that giving a run back needs no memory.
  warm_.reserve(static_cast<size_t>(n_runs_));
  cold_.reserve(static_cast<size_t>(n_runs_));
}

std::optional<uint32_t> KvPool::take() {
  if (n_taken_ == n_runs_) return std::nullopt;
  n_taken_++;
  for (auto* list : {&warm_, &cold_}) {
    if (list->empty()) continue;
    const uint32_t run = list->back();
    list->pop_back();
    return run;
  }
  return address(n_touched_++);
}

void KvPool::give(uint32_t run) {
  CHECK(n_taken_ > 0, "a run is given back once");
  n_taken_--;
  // All bits set are a NaN in every format.
  if (poisons_) buffer_->fill(run * kKvAddressUnit, run_bytes_, 0xff);
  if (warm_.size() * run_bytes_ < kWarmBytes) {
    warm_.push_back(run);
  } else {
    buffer_->decommit(run * kKvAddressUnit, run_bytes_);
    cold_.push_back(run);
  }
}

std::vector<uint32_t> KvPool::free_runs() const {
  std::vector<uint32_t> runs = warm_;
  runs.insert(runs.end(), cold_.begin(), cold_.end());
  return runs;
}

}  // namespace cachalot
