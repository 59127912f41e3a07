// A Buffer whose device is the host itself.
#pragma once

#include <cstring>

#include "backend/tensor.h"
#include "base/memory_region.h"

namespace cachalot {

class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(size_t bytes) : region_(bytes) {}
  uint8_t* data() const override { return region_.data(); }
  size_t size() const override { return region_.size(); }
  void write(size_t offset, std::span<const uint8_t> bytes) override {
    std::memcpy(data() + offset, bytes.data(), bytes.size());
  }
  void fill(size_t offset, size_t size, uint8_t byte) override {
    std::memset(data() + offset, byte, size);
  }
  void decommit(size_t offset, size_t size) override { region_.decommit(offset, size); }

 private:
  MemoryRegion region_;
};

}  // namespace cachalot
