#include "cuda/cuda_device.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"

namespace cachalot::cuda {

namespace {

std::string gigabytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GiB", static_cast<double>(bytes) / (1 << 30));
  return text;
}

}  // namespace

CudaDevice::CudaDevice(const Library& library, int ordinal) : library_(library) {
  check(library.describe(ordinal, &info_), "asking for the device");
  check(library.open(ordinal, &device_), "opening the device");
}

CudaDevice::~CudaDevice() { library_.close(device_); }

uint64_t CudaDevice::free_bytes() const {
  uint64_t bytes = 0;
  check(library_.free_memory(device_, &bytes), "asking for free memory");
  return bytes;
}

void CudaDevice::check(Status status, const char* doing) const {
  if (status == 0) return;
  throw Error(ErrorCode::kDeviceFailed, "CUDA failed (" + std::string(library_.last_error(status)) +
                                            ", error " + std::to_string(status) + ") while " +
                                            doing + " on " + info_.name);
}

void CudaDevice::write(void* to, const void* from, size_t bytes) const {
  check(library_.write(device_, to, from, bytes), "copying to the device");
}
void CudaDevice::read(void* to, const void* from, size_t bytes) const {
  check(library_.read(device_, to, from, bytes), "copying from the device");
}
void CudaDevice::wait() const { check(library_.wait(device_), "computing"); }

CudaBuffer::CudaBuffer(std::shared_ptr<const CudaDevice> device, size_t bytes)
    : device_(std::move(device)), size_(bytes) {
  const size_t wanted = std::max<size_t>(bytes, 1);
  void* address = nullptr;
  const Status status = device_->library().allocate(device_->get(), wanted, &address);
  if (status == kOutOfMemory) {
    throw Error(ErrorCode::kOutOfMemory,
                "the GPU has too little memory: " + gigabytes(bytes) + " more are needed, and " +
                    gigabytes(device_->free_bytes()) + " of " +
                    gigabytes(device_->info().total_bytes) +
                    " are free; try a smaller model or quantization, a smaller `kv.bytes`, or "
                    "device \"cpu\"");
  }
  device_->check(status, "allocating memory");
  data_ = static_cast<uint8_t*>(address);
  if (const Status filled = device_->library().fill(device_->get(), data_, 0, wanted)) {
    device_->library().release(device_->get(), data_);
    device_->check(filled, "clearing memory");
  }
}

CudaBuffer::~CudaBuffer() { device_->library().release(device_->get(), data_); }

// The source may be gone when this returns, pinned or not.
void CudaBuffer::write(size_t offset, std::span<const uint8_t> bytes) {
  device_->write(data_ + offset, bytes.data(), bytes.size());
  device_->wait();
}

void CudaBuffer::fill(size_t offset, size_t size, uint8_t byte) {
  device_->check(device_->library().fill(device_->get(), data_ + offset, byte, size),
                 "filling memory");
}

uint8_t* CudaScratch::get(size_t bytes) {
  if (buffer_ == nullptr || buffer_->size() < bytes) {
    if (buffer_ != nullptr) outgrown_.push_back(std::move(buffer_));
    buffer_ = std::make_unique<CudaBuffer>(device_, bytes + bytes / 2);
  }
  return buffer_->data();
}

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) device_->library().release_pinned(device_->get(), data_);
}

uint8_t* PinnedMemory::get(size_t bytes) {
  if (bytes > size_) {
    if (data_ != nullptr) device_->library().release_pinned(device_->get(), data_);
    data_ = nullptr;
    size_ = 0;
    const size_t wanted = bytes + bytes / 2;
    const Status status = device_->library().allocate_pinned(device_->get(), wanted, &data_);
    if (status == kOutOfMemory) {
      throw Error(ErrorCode::kOutOfMemory, "there is no memory for " + gigabytes(wanted) +
                                               " that the GPU can copy from by itself");
    }
    device_->check(status, "allocating pinned memory");
    size_ = wanted;
  }
  return static_cast<uint8_t*>(data_);
}

}  // namespace cachalot::cuda
