// A backend for a test, and arrays on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "addon/testing/testing.h"
#include "backend/backend.h"

namespace cachalot::addon {

/** Arguments 0 and 1 of a test's function: an instruction path of the CPU and how many threads, or
 * "cuda:" and the path of a CUDA library, which may be an emulated one. */
std::unique_ptr<Backend> backend_of(const Napi::CallbackInfo& info);

/** Floats where a backend's ops find them. */
class DeviceFloats {
 public:
  DeviceFloats(Backend& backend, std::span<const float> values)
      : backend_(backend), size_(values.size()), buffer_(backend.allocate(4 * values.size())) {
    buffer_->write(0, values);
  }
  DeviceFloats(Backend& backend, size_t size)
      : backend_(backend), size_(size), buffer_(backend.allocate(4 * size)) {}

  float* data() const { return buffer_->floats(); }
  size_t size() const { return size_; }
  /** Waits for the ops that write them. */
  std::vector<float> read() const {
    backend_.wait();
    const float* values = backend_.host_view(data(), size_);
    return {values, values + size_};
  }

 private:
  Backend& backend_;
  size_t size_;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace cachalot::addon
