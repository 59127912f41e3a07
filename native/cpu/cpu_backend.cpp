#include "cpu/cpu_backend.h"

#include <algorithm>
#include <utility>

#include "backend/host_buffer.h"
#include "base/check.h"
#include "base/system_memory.h"
#include "cpu/instructions.h"

namespace cachalot::cpu {

CpuBackend::CpuBackend(const std::string& instructions, int threads)
    : kernels_(choose_kernels(instructions)), pool_(choose_threads(threads)) {}

DeviceDescription CpuBackend::device() const { return {"cpu", "", kernels_.name, pool_.size()}; }

// bf16 halves the bytes that decoding reads; the portable path would pay for it in conversions.
KvFormat CpuBackend::preferred_kv_format() const {
  return &kernels_ == &kPortableKernels ? KvFormat::kF32 : KvFormat::kBF16;
}

std::unique_ptr<Buffer> CpuBackend::allocate(size_t bytes) {
  return std::make_unique<HostBuffer>(bytes);
}

// The hash is of the files that define a panel's content.
std::string layout_name() { return "cpu-" CACHALOT_LAYOUT_HASH; }

std::unique_ptr<Weight> CpuBackend::prepare_weight(const Tensor& tensor,
                                                   std::span<const uint8_t> packed) {
  return std::make_unique<CpuWeight>(tensor, packed, pool_);
}

std::unique_ptr<Weight> CpuBackend::prepare_table(const Tensor& tensor, const Weight*) {
  return std::make_unique<CpuTable>(tensor);
}

// The rest is for weights that are read in place, for JavaScript and for other processes.
uint64_t CpuBackend::memory_for_kv() const {
  const SystemMemory memory = system_memory();
  return std::min(memory.limit / 4, memory.left / 2);
}

uint64_t CpuBackend::kv_limit() const { return system_memory().limit; }

/** The context of an op that runs now: what waits runs before it. */
OpContext& CpuBackend::ready() {
  if (const auto writer = std::exchange(waiting_, std::nullopt)) writer->run(context_);
  return context_;
}

/** Few rows are cut along their widths, and little work is not worth a region. */
void CpuBackend::wait_or_run(const RowWriter& writer) {
  constexpr int kRowsPerThread = 4;
  ready();
  if (writer.n_rows() >= kRowsPerThread * pool_.size() && writer.width() >= kWidthWorthWaiting)
    waiting_ = writer;
  else writer.run(context_);
}

void CpuBackend::linear(const LinearParams& params) {
  if (!waiting_ || waiting_->out() != params.x) return cpu::linear(ready(), params, nullptr);
  const auto writer = std::exchange(waiting_, std::nullopt);
  CHECK(writer->n_rows() == params.n_rows, "linear reads all rows of x");
  cpu::linear(context_, params, &*writer);
}

}  // namespace cachalot::cpu
