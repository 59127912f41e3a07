#include "cuda/emu/runtime.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda/emu/control.h"
#include "cuda/emu/simt.h"

using Works = std::vector<std::function<void()>>;

struct EmulatedGraph {
  std::shared_ptr<const Works> works;
};

namespace {

struct Stream {
  std::shared_ptr<Works> capture;  // null unless a graph is captured
};

/** The state of the emulated device; one per process, as CUDA's own. */
struct State {
  std::mutex mutex;
  size_t total_bytes = size_t{4} << 30, used_bytes = 0;
  std::unordered_map<void*, size_t> sizes;
  int calls_left = -1;  // until one fails; -1: none will
  cudaError_t last = cudaSuccess;
  std::string message = "emulated failure";
  uint64_t n_graph_launches = 0;
  uint64_t uploaded_bytes = 0;
};
State state;

/** Once it has failed, a device fails for good, as CUDA does after a fault in a kernel. */
cudaError_t check_alive() {
  const std::lock_guard lock(state.mutex);
  if (state.calls_left > 0) state.calls_left--;
  if (state.calls_left == 0) state.last = cudaErrorLaunchFailure;
  return state.last;
}

void run_work(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());  // a test that only sees "failed" would not say why
    const std::lock_guard lock(state.mutex);
    state.last = cudaErrorLaunchFailure;
    state.message = error.what();
  }
}

}  // namespace

namespace simt {

void enqueue(stream_t stream, std::function<void()> work) {
  const auto& capture = static_cast<Stream*>(stream)->capture;
  if (capture != nullptr) capture->push_back(std::move(work));
  else if (check_alive() == cudaSuccess) run_work(work);
}

}  // namespace simt

void emulator_fail_after(int calls) {
  const std::lock_guard lock(state.mutex);
  state.calls_left = calls;
  state.last = cudaSuccess;
}
void emulator_set_memory(uint64_t bytes) {
  const std::lock_guard lock(state.mutex);
  state.total_bytes = bytes;
}
uint64_t emulator_used_bytes() {
  const std::lock_guard lock(state.mutex);
  return state.used_bytes;
}
uint64_t emulator_graph_launches() {
  const std::lock_guard lock(state.mutex);
  return state.n_graph_launches;
}
uint64_t emulator_uploaded_bytes() {
  const std::lock_guard lock(state.mutex);
  return state.uploaded_bytes;
}
void emulator_set_order(int order, int copies, uint64_t seed, int os_threads) {
  simt::options.order = static_cast<simt::Order>(order);
  simt::options.copies = static_cast<simt::Copies>(copies);
  simt::options.seed = seed;
  simt::options.os_threads = static_cast<unsigned>(os_threads);
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorLaunchFailure: return state.message.c_str();
    default: return "invalid argument";
  }
}
cudaError_t cudaGetLastError() {
  const std::lock_guard lock(state.mutex);
  return state.last;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* n) {
  *n = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  if (index != 0) return cudaErrorInvalidValue;
  *properties = {"emulated GPU", 8, 0, 4, state.total_bytes};
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  const std::lock_guard lock(state.mutex);
  *total_bytes = state.total_bytes;
  *free_bytes = state.total_bytes - std::min(state.total_bytes, state.used_bytes);
  return state.last;
}
cudaError_t cudaMalloc(void** address, size_t bytes) {
  if (const cudaError_t error = check_alive(); error != cudaSuccess) return error;
  const std::lock_guard lock(state.mutex);
  if (state.used_bytes + bytes > state.total_bytes) return cudaErrorMemoryAllocation;
  *address = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (*address == nullptr) return cudaErrorMemoryAllocation;
  state.sizes[*address] = bytes;
  state.used_bytes += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* address) {
  const std::lock_guard lock(state.mutex);
  const auto found = state.sizes.find(address);
  if (found == state.sizes.end()) return address == nullptr ? cudaSuccess : cudaErrorInvalidValue;
  state.used_bytes -= found->second;
  state.sizes.erase(found);
  std::free(address);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** address, size_t bytes) {
  *address = std::malloc(bytes);
  return *address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* address) {
  std::free(address);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t) {
  const cudaError_t error = check_alive();
  if (kind == cudaMemcpyHostToDevice) {
    const std::lock_guard lock(state.mutex);
    state.uploaded_bytes += bytes;
  }
  if (error == cudaSuccess && bytes > 0) std::memcpy(to, from, bytes);
  return error;
}
cudaError_t cudaMemsetAsync(void* address, int byte, size_t bytes, cudaStream_t) {
  const cudaError_t error = check_alive();
  if (error == cudaSuccess) std::memset(address, byte, bytes);
  return error;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new Stream();
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete static_cast<Stream*>(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return check_alive(); }
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  static_cast<Stream*>(stream)->capture = std::make_shared<Works>();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = new EmulatedGraph{std::exchange(static_cast<Stream*>(stream)->capture, nullptr)};
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  if (const cudaError_t error = check_alive(); error != cudaSuccess) return error;
  {
    const std::lock_guard lock(state.mutex);
    state.n_graph_launches++;
  }
  for (const auto& work : *executable->works) run_work(work);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
