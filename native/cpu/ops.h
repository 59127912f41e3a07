// The ops of the CPU backend: each checks its Params, cuts the work and runs a path's kernels on
// the pool.
#pragma once

#include "backend/params.h"
#include "base/memory_region.h"
#include "base/thread_pool.h"
#include "cpu/kernels.h"

namespace cachalot::cpu {

class RowWriter;

/** Memory that an op needs while it runs; grows, never shrinks. */
class Scratch {
 public:
  uint8_t* get(size_t bytes) {
    if (bytes > region_.size()) region_ = MemoryRegion(bytes + bytes / 2);
    return region_.data();
  }

 private:
  MemoryRegion region_;
};

/** The things that an op may use besides its Params. */
struct OpContext {
  const Kernels& kernels;
  ThreadPool& pool;
  Scratch& scratch;
  Scratch& panel_scratch;  // of `linear`, which needs both
  StepTables step{};       // those that the step began with
};

/** A packed or an in-place weight. */
class CpuWeight final : public Weight {
 public:
  /** Keeps a view of a float tensor, or of the panels that were packed before; packs a quantized
   * one on all threads. */
  CpuWeight(const Tensor& tensor, std::span<const uint8_t> packed, ThreadPool& pool);

  int64_t n_rows() const override { return tensor_.n_rows; }
  int64_t n_cols() const override { return tensor_.n_cols; }
  int64_t resident_bytes() const override { return static_cast<int64_t>(own_.size()); }
  std::span<const uint8_t> packed() const override { return panels_; }
  DType dtype() const { return tensor_.dtype; }
  /** The bytes that each step reads. */
  int64_t bytes() const {
    return is_float(tensor_.dtype) ? tensor_.bytes() : static_cast<int64_t>(panels_.size());
  }
  const uint8_t* data() const { return is_float(tensor_.dtype) ? tensor_.data : panels_.data(); }

 private:
  Tensor tensor_;
  MemoryRegion own_;
  std::span<const uint8_t> panels_;
};

/** Rows that are read where the model's file has them. */
class CpuTable final : public Weight {
 public:
  explicit CpuTable(const Tensor& tensor) : tensor_(tensor) {}

  int64_t n_rows() const override { return tensor_.n_rows; }
  int64_t n_cols() const override { return tensor_.n_cols; }
  int64_t resident_bytes() const override { return 0; }
  const Tensor& tensor() const { return tensor_; }

 private:
  Tensor tensor_;
};

void gather_rows(const OpContext& context, const GatherRowsParams& params);
void select_rows(const OpContext& context, const SelectRowsParams& params);
void rms_norm(const OpContext& context, const RmsNormParams& params);
/** `writer`: makes the rows of x, which are not there yet; null: they are. */
void linear(const OpContext& context, const LinearParams& params, const RowWriter* writer);
void check_finite(const OpContext& context, const CheckFiniteParams& params);
void silu_mul(const OpContext& context, const SiluMulParams& params);
void kv_write(const OpContext& context, const KvWriteParams& params);
void kv_copy(const OpContext& context, const KvCopyParams& params);
void kv_gather(const OpContext& context, const KvGatherParams& params);
void kv_merge(const OpContext& context, const KvMergeParams& params);
void keep_queries(const OpContext& context, const KeepQueriesParams& params);
void kv_signal(const OpContext& context, const KvSignalParams& params);
void attention(const OpContext& context, const AttentionParams& params);
void attention_merge(const OpContext& context, const AttentionMergeParams& params);
void sample(const OpContext& context, const SampleParams& params);

}  // namespace cachalot::cpu
