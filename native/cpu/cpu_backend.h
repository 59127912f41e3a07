// The CPU as a Backend.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "cpu/ops.h"
#include "cpu/row_writer.h"

namespace cachalot::cpu {

/** The layout of weights that this version has, the same on all instruction paths. */
std::string layout_name();

class CpuBackend final : public Backend {
 public:
  /** `instructions`: "auto" or one of available_instructions(). `threads`: 0 for one per core. */
  CpuBackend(const std::string& instructions, int threads);

  DeviceDescription device() const override;
  int parallelism() const override { return pool_.size(); }
  KvFormat preferred_kv_format() const override;
  void check_kv(KvFormat, int) const override {}

  std::unique_ptr<Buffer> allocate(size_t bytes) override;
  std::string layout() const override { return layout_name(); }
  bool reads_in_place(DType dtype, WeightUse use) const override {
    return use == WeightUse::kTable || is_float(dtype);
  }
  std::unique_ptr<Weight> prepare_weight(const Tensor& tensor,
                                         std::span<const uint8_t> packed) override;
  std::unique_ptr<Weight> prepare_table(const Tensor& tensor, const Weight* same) override;
  uint64_t memory_for_kv() const override;
  uint64_t kv_limit() const override;

  // Ops run when they are called, on memory that is the host's; but one that writes rows waits for
  // the `linear` that may read them. One of a step that was given up is forgotten.
  void begin_step(const StepTables& tables) override {
    waiting_.reset();
    context_.step = tables;
  }
  void start() override {}
  bool is_async() const override { return false; }
  void wait() override { ready(); }
  const float* host_view(const float* values, size_t) override {
    ready();
    return values;
  }

  void gather_rows(const GatherRowsParams& params) override { cpu::gather_rows(ready(), params); }
  void select_rows(const SelectRowsParams& params) override { cpu::select_rows(ready(), params); }
  void rms_norm(const RmsNormParams& params) override { wait_or_run(RowWriter(params)); }
  void linear(const LinearParams& params) override;
  void check_finite(const CheckFiniteParams& params) override {
    cpu::check_finite(ready(), params);
  }
  void silu_mul(const SiluMulParams& params) override { wait_or_run(RowWriter(params)); }
  void kv_write(const KvWriteParams& params) override { cpu::kv_write(ready(), params); }
  void kv_copy(const KvCopyParams& params) override { cpu::kv_copy(ready(), params); }
  void kv_gather(const KvGatherParams& params) override { cpu::kv_gather(ready(), params); }
  void kv_merge(const KvMergeParams& params) override { cpu::kv_merge(ready(), params); }
  void keep_queries(const KeepQueriesParams& params) override {
    cpu::keep_queries(ready(), params);
  }
  void kv_signal(const KvSignalParams& params) override { cpu::kv_signal(ready(), params); }
  void attention(const AttentionParams& params) override { cpu::attention(ready(), params); }
  void attention_merge(const AttentionMergeParams& params) override {
    cpu::attention_merge(ready(), params);
  }
  void sample(const SampleParams& params) override { cpu::sample(ready(), params); }

 private:
  static constexpr int kWidthWorthWaiting = 256;  // of rows; those of single heads are read at once

  OpContext& ready();
  void wait_or_run(const RowWriter& writer);

  const Kernels& kernels_;
  ThreadPool pool_;
  Scratch scratch_, panel_scratch_;
  OpContext context_{kernels_, pool_, scratch_, panel_scratch_};
  std::optional<RowWriter> waiting_;
};

}  // namespace cachalot::cpu
