// A device that can run the model: memory, and one method per op. Code above this interface is
// written once; code below it, once per kind of device.
#pragma once

#include <memory>
#include <string>

#include "backend/params.h"

namespace cachalot {

/** The device that computes. */
struct DeviceDescription {
  std::string kind;          // "cpu" or "cuda"
  std::string name;          // of a GPU; empty for the CPU, which the host can name
  std::string instructions;  // "avx512", "sm_90"
  int threads = 0;           // of a GPU: its multiprocessors
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual DeviceDescription device() const = 0;
  /** How many work items keep the device busy; never changes a result. */
  virtual int parallelism() const = 0;
  virtual KvFormat preferred_kv_format() const = 0;
  /** Throws invalid_argument or unsupported_architecture for KV that the device cannot keep. */
  virtual void check_kv(KvFormat format, int head_dim) const = 0;

  virtual std::unique_ptr<Buffer> allocate(size_t bytes) = 0;
  /** Bytes that KV takes if the caller names no number: a part of the memory that is free now. */
  virtual uint64_t memory_for_kv() const = 0;
  /** The most bytes that a caller may ask for KV; UINT64_MAX if `allocate` finds the limit. */
  virtual uint64_t kv_limit() const = 0;
  /** Names the layout of packed weights: processes may use each other's packed weights if this name
   * is the same. */
  virtual std::string layout() const = 0;
  /** Whether weights, or tables, of this type keep reading the tensor they were made from. */
  virtual bool reads_in_place(DType dtype, WeightUse use) const = 0;
  /** `packed`: the packed bytes of an earlier weight that was made of an equal tensor, or empty;
   * they must outlive the weight. So must `tensor`, if weights of its type read it in place. */
  virtual std::unique_ptr<Weight> prepare_weight(const Tensor& tensor,
                                                 std::span<const uint8_t> packed) = 0;
  /** The same for `gather_rows`. `same`: a weight of the same tensor, whose memory the table may
   * share, or null. */
  virtual std::unique_ptr<Weight> prepare_table(const Tensor& tensor, const Weight* same) = 0;

  /** Names the host's arrays that the ops up to `wait` read; an op says which of them by index. The
   * arrays stay the caller's, unchanged until `wait` returns: the CPU reads them where they are,
   * other devices copy them here or in `start`. */
  virtual void begin_step(const StepTables& tables) = 0;
  /** Sets an async device to work on the ops since `begin_step`. */
  virtual void start() = 0;
  /** Whether the host is free between `start` and `wait`; else ops run when they are called. */
  virtual bool is_async() const = 0;
  /** Returns when all ops are done and their results for the host are there. */
  virtual void wait() = 0;
  /** Device memory as the host can read it, until the next op. */
  virtual const float* host_view(const float* values, size_t n) = 0;

  virtual void gather_rows(const GatherRowsParams& params) = 0;
  virtual void select_rows(const SelectRowsParams& params) = 0;
  virtual void rms_norm(const RmsNormParams& params) = 0;
  virtual void linear(const LinearParams& params) = 0;
  virtual void check_finite(const CheckFiniteParams& params) = 0;
  virtual void silu_mul(const SiluMulParams& params) = 0;
  virtual void kv_write(const KvWriteParams& params) = 0;
  virtual void kv_copy(const KvCopyParams& params) = 0;
  virtual void kv_gather(const KvGatherParams& params) = 0;
  virtual void kv_merge(const KvMergeParams& params) = 0;
  virtual void keep_queries(const KeepQueriesParams& params) = 0;
  virtual void kv_signal(const KvSignalParams& params) = 0;
  virtual void attention(const AttentionParams& params) = 0;
  virtual void attention_merge(const AttentionMergeParams& params) = 0;
  virtual void sample(const SampleParams& params) = 0;
};

}  // namespace cachalot
