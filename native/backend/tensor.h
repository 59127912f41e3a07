// Views of memory that others own, and the two owners that a backend hands out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "backend/dtype.h"

namespace cachalot {

/** A matrix in a mapped file or in an activation buffer, row after row. Never an owner. */
struct Tensor {
  const uint8_t* data = nullptr;
  DType dtype = DType::kF32;
  int64_t n_rows = 0;  // N
  int64_t n_cols = 0;  // K

  int64_t row_bytes() const {
    const auto& info = dtype_info(dtype);
    return n_cols / info.block_size * info.block_bytes;
  }
  int64_t bytes() const { return n_rows * row_bytes(); }
};

/** A matrix in the layout that its backend's `linear` wants; opaque to everybody else. */
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int64_t n_rows() const = 0;  // N, outputs
  virtual int64_t n_cols() const = 0;  // K, inputs
  /** Memory it owns; 0 when it is read in place from a map. */
  virtual int64_t resident_bytes() const = 0;
  /** Its bytes in its backend's layout; empty when it is read in place from the model's file. */
  virtual std::span<const uint8_t> packed() const { return {}; }
};

/** The use of a weight: a matrix product, or rows that are looked up. */
enum class WeightUse { kLinear, kTable };

/** Memory of a device, zeroed, released with the object. */
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual uint8_t* data() const = 0;  // an address of the device
  virtual size_t size() const = 0;
  /** Copies from the host. */
  virtual void write(size_t offset, std::span<const uint8_t> bytes) = 0;
  virtual void fill(size_t offset, size_t size, uint8_t byte) = 0;
  /** Gives the pages of a range back to the system, if the device can. The bytes of whole pages are
   * lost, the rest of the range keeps its bytes. */
  virtual void decommit(size_t offset, size_t size) = 0;

  void write(size_t offset, std::span<const float> values) {
    write(offset, std::span(reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()));
  }
  float* floats() const { return reinterpret_cast<float*>(data()); }
};

}  // namespace cachalot
