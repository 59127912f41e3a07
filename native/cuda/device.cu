// The library's side of abi.h: a device with its stream, memory, and lists of launches, which run
// one by one or as a CUDA graph. Everything here is CUDA's runtime; the emulator brings the same
// names.

#include <cstdio>
#include <memory>

#include "cuda/launchers.h"

#ifndef __CUDACC__
#include "cuda/emu/runtime.h"
#endif

namespace cachalot::cuda {

struct Device {
  int index = 0;
  LaunchContext context{};
};

struct Graph {
  cudaGraphExec_t executable = nullptr;
};

namespace {

/** What is told is forgotten by the runtime, if it can be: the next call is judged by itself. */
Status status_of(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return static_cast<Status>(error);
}

/** Each thread has a current device of its own. */
Status use(const Device* device) { return status_of(cudaSetDevice(device->index)); }

void launch(const LaunchContext& context, const Launch& launch) {
  switch (launch.op) {
    case Op::kGatherRows: return gather_rows(context, launch.as<GatherRowsArgs>());
    case Op::kSelectRows: return select_rows(context, launch.as<SelectRowsArgs>());
    case Op::kRmsNorm: return rms_norm(context, launch.as<RmsNormArgs>());
    case Op::kPrepareRows: return prepare_rows(context, launch.as<PrepareRowsArgs>());
    case Op::kLinear: return linear(context, launch.as<LinearArgs>());
    case Op::kCheckFinite: return check_finite(context, launch.as<CheckFiniteArgs>());
    case Op::kSiluMul: return silu_mul(context, launch.as<SiluMulArgs>());
    case Op::kKvWrite: return kv_write(context, launch.as<KvWriteArgs>());
    case Op::kKvCopy: return kv_copy(context, launch.as<KvCopyArgs>());
    case Op::kKvGather: return kv_gather(context, launch.as<KvGatherArgs>());
    case Op::kKvMerge: return kv_merge(context, launch.as<KvMergeArgs>());
    case Op::kKeepQueries: return keep_queries(context, launch.as<KeepQueriesArgs>());
    case Op::kKvSignal: return kv_signal(context, launch.as<KvSignalArgs>());
    case Op::kUpdateSlabs: return update_slabs(context, launch.as<UpdateSlabsArgs>());
    case Op::kAttention: return attention(context, launch.as<AttentionArgs>());
    case Op::kAttentionMerge: return attention_merge(context, launch.as<AttentionMergeArgs>());
    case Op::kSample: return sample(context, launch.as<SampleArgs>());
  }
}

int32_t count_devices(char* why, int32_t capacity) {
  int driver = 0, n = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    std::snprintf(why, static_cast<size_t>(capacity), "no NVIDIA driver is installed");
    return 0;
  }
  const cudaError_t error = cudaGetDeviceCount(&n);
  if (error != cudaSuccess) {
    std::snprintf(why, static_cast<size_t>(capacity), "%s", cudaGetErrorString(error));
    return 0;
  }
  if (n == 0) std::snprintf(why, static_cast<size_t>(capacity), "there is no NVIDIA GPU");
  return n;
}

Status describe(int32_t index, DeviceInfo* info) {
  cudaDeviceProp properties;
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, index); error != cudaSuccess)
    return status_of(error);
  std::snprintf(info->name, sizeof info->name, "%s", properties.name);
  info->major = properties.major;
  info->minor = properties.minor;
  info->n_multiprocessors = properties.multiProcessorCount;
  info->ordinal = index;
  info->total_bytes = properties.totalGlobalMem;
  return 0;
}

Status open(int32_t index, Device** device) {
  DeviceInfo info;
  if (const Status status = describe(index, &info)) return status;
  auto made = std::make_unique<Device>();
  made->index = index;
  made->context.n_multiprocessors = info.n_multiprocessors;
  const cudaError_t error = cudaStreamCreateWithFlags(&made->context.stream, cudaStreamNonBlocking);
  if (error == cudaSuccess) *device = made.release();
  return status_of(error);
}

void close(Device* device) {
  use(device);
  cudaStreamSynchronize(device->context.stream);
  cudaStreamDestroy(device->context.stream);
  delete device;
}

const char* last_error(Status status) {
  return cudaGetErrorString(static_cast<cudaError_t>(status));
}

Status allocate(Device* device, uint64_t bytes, void** address) {
  if (const Status status = use(device)) return status;
  return status_of(cudaMalloc(address, bytes));
}
void release(Device* device, void* address) {
  use(device);
  cudaFree(address);
}
Status allocate_pinned(Device* device, uint64_t bytes, void** address) {
  if (const Status status = use(device)) return status;
  return status_of(cudaMallocHost(address, bytes));
}
void release_pinned(Device* device, void* address) {
  use(device);
  cudaFreeHost(address);
}

Status copy(Device* device, void* to, const void* from, uint64_t bytes, cudaMemcpyKind kind) {
  if (const Status status = use(device)) return status;
  return status_of(cudaMemcpyAsync(to, from, bytes, kind, device->context.stream));
}
Status write(Device* device, void* to, const void* from, uint64_t bytes) {
  return copy(device, to, from, bytes, cudaMemcpyHostToDevice);
}
Status read(Device* device, void* to, const void* from, uint64_t bytes) {
  return copy(device, to, from, bytes, cudaMemcpyDeviceToHost);
}
Status fill(Device* device, void* address, uint8_t byte, uint64_t bytes) {
  if (const Status status = use(device)) return status;
  return status_of(cudaMemsetAsync(address, byte, bytes, device->context.stream));
}

Status launch_all(const Device* device, const Launch* launches, int32_t n) {
  for (int32_t i = 0; i < n; i++) launch(device->context, launches[i]);
  return status_of(cudaGetLastError());
}

Status run(Device* device, const Launch* launches, int32_t n) {
  if (const Status status = use(device)) return status;
  return launch_all(device, launches, n);
}

Status make_graph(Device* device, const Launch* launches, int32_t n, Graph** graph) {
  if (const Status status = use(device)) return status;
  const simt::stream_t stream = device->context.stream;
  cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  if (error != cudaSuccess) return status_of(error);
  const Status launched = launch_all(device, launches, n);
  cudaGraph_t captured = nullptr;
  error = cudaStreamEndCapture(stream, &captured);
  auto made = std::make_unique<Graph>();
  if (launched == 0 && error == cudaSuccess)
    error = cudaGraphInstantiate(&made->executable, captured, 0);
  if (captured != nullptr) cudaGraphDestroy(captured);
  if (launched != 0 || error != cudaSuccess) return launched != 0 ? launched : status_of(error);
  *graph = made.release();
  return 0;
}
Status run_graph(Device* device, Graph* graph) {
  if (const Status status = use(device)) return status;
  return status_of(cudaGraphLaunch(graph->executable, device->context.stream));
}
void release_graph(Device* device, Graph* graph) {
  use(device);
  cudaGraphExecDestroy(graph->executable);
  delete graph;
}

Status wait(Device* device) {
  if (const Status status = use(device)) return status;
  return status_of(cudaStreamSynchronize(device->context.stream));
}

Status free_memory(Device* device, uint64_t* bytes) {
  if (const Status status = use(device)) return status;
  size_t free_bytes = 0, total_bytes = 0;
  const Status status = status_of(cudaMemGetInfo(&free_bytes, &total_bytes));
  *bytes = free_bytes;
  return status;
}

constexpr Library kLibrary{
    kAbiVersion, count_devices,   describe,       open,  close,      last_error, allocate,
    release,     allocate_pinned, release_pinned, write, read,       fill,       run,
    make_graph,  run_graph,       release_graph,  wait,  free_memory};

}  // namespace

}  // namespace cachalot::cuda

extern "C"
#if defined(_WIN32)
    __declspec(dllexport)
#else
    __attribute__((visibility("default")))
#endif
        const cachalot::cuda::Library* cachalot_cuda_library() {
  return &cachalot::cuda::kLibrary;
}
