// Anonymous mapped memory. Weights and KV live here and not on the heap: Chromium's allocator,
// which replaces malloc inside Electron, ends the process on one allocation over 2 GiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace cachalot {

class MemoryRegion {
 public:
  MemoryRegion() = default;
  /** Reserves `size` bytes; pages are committed, zeroed, when first touched. Throws out_of_memory.
   */
  explicit MemoryRegion(size_t size);
  ~MemoryRegion();
  MemoryRegion(MemoryRegion&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MemoryRegion& operator=(MemoryRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

  /** Gives the whole pages inside [offset, offset + size) back to the system. Their bytes are lost;
   * the rest of the range keeps its bytes. */
  void decommit(size_t offset, size_t size) const;

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace cachalot
