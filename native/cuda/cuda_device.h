// An open device and the memory that we own on it. CUDA's errors become Error{device_failed}, or
// out_of_memory with the bytes needed and the bytes there are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/tensor.h"
#include "cuda/abi.h"

namespace cachalot::cuda {

class CudaDevice {
 public:
  /** `ordinal`: of CUDA's own list. */
  CudaDevice(const Library& library, int ordinal);
  ~CudaDevice();
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;

  const Library& library() const { return library_; }
  Device* get() const { return device_; }
  const DeviceInfo& info() const { return info_; }
  uint64_t free_bytes() const;

  /** Throws device_failed if `status` is an error; `doing` names the work that was tried. */
  void check(Status status, const char* doing) const;

  void write(void* to, const void* from, size_t bytes) const;
  void read(void* to, const void* from, size_t bytes) const;
  void wait() const;

 private:
  const Library& library_;
  Device* device_ = nullptr;
  DeviceInfo info_{};
};

/** Zeroed memory of the device. */
class CudaBuffer final : public Buffer {
 public:
  CudaBuffer(std::shared_ptr<const CudaDevice> device, size_t bytes);
  ~CudaBuffer() override;
  CudaBuffer(const CudaBuffer&) = delete;
  CudaBuffer& operator=(const CudaBuffer&) = delete;

  uint8_t* data() const override { return data_; }
  size_t size() const override { return size_; }
  void write(size_t offset, std::span<const uint8_t> bytes) override;
  void fill(size_t offset, size_t size, uint8_t byte) override;
  void decommit(size_t, size_t) override {}  // a device's memory has no pages to give back

 private:
  std::shared_ptr<const CudaDevice> device_;
  uint8_t* data_ = nullptr;
  size_t size_;
};

/** Memory of the device that an op needs while it runs: grows, never shrinks. The smaller memory is
 * kept until the step that may use it is over. */
class CudaScratch {
 public:
  explicit CudaScratch(std::shared_ptr<const CudaDevice> device) : device_(std::move(device)) {}
  uint8_t* get(size_t bytes);
  void end_step() { outgrown_.clear(); }

 private:
  std::shared_ptr<const CudaDevice> device_;
  std::unique_ptr<CudaBuffer> buffer_;
  std::vector<std::unique_ptr<CudaBuffer>> outgrown_;
};

/** Memory of the host that the device copies from and to by itself. */
class PinnedMemory {
 public:
  explicit PinnedMemory(std::shared_ptr<const CudaDevice> device) : device_(std::move(device)) {}
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  /** The content is lost when the memory grows. */
  uint8_t* get(size_t bytes);

 private:
  std::shared_ptr<const CudaDevice> device_;
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace cachalot::cuda
