// An NVIDIA GPU as a Backend. Ops do not run when they are called: they are recorded, and `start`
// uploads the step's tables and launches all of them, as a CUDA graph if the same list came before.
// `wait` brings back the results for the host. So a step has one upload of its plan and one wait.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "cuda/cuda_device.h"
#include "cuda/formats.h"
#include "cuda/graphs.h"
#include "cuda/step_builder.h"

namespace cachalot::cuda {

/** A matrix in tiles on the device. An embedding that is also the output matrix is stored once. */
struct DeviceMatrix {
  DeviceMatrix(std::shared_ptr<const CudaDevice> device, Format form, const Tensor& tensor)
      : format(form),
        n_rows(tensor.n_rows),
        n_cols(tensor.n_cols),
        buffer(std::move(device), static_cast<size_t>(weight_bytes(form, n_rows, n_cols))) {}

  Format format;
  int64_t n_rows, n_cols;
  CudaBuffer buffer;
};

class CudaWeight final : public Weight {
 public:
  explicit CudaWeight(std::shared_ptr<const DeviceMatrix> matrix) : matrix_(std::move(matrix)) {}

  int64_t n_rows() const override { return matrix_->n_rows; }
  int64_t n_cols() const override { return matrix_->n_cols; }
  int64_t resident_bytes() const override { return static_cast<int64_t>(matrix_->buffer.size()); }
  const DeviceMatrix& matrix() const { return *matrix_; }
  const std::shared_ptr<const DeviceMatrix>& shared_matrix() const { return matrix_; }

 private:
  std::shared_ptr<const DeviceMatrix> matrix_;
};

class CudaBackend final : public Backend {
 public:
  /** `library`: its path, empty for the one beside the addon; `index`: of the devices that
   * find_devices lists. Throws device_unavailable. */
  CudaBackend(const std::string& library, int index);

  DeviceDescription device() const override;
  int parallelism() const override { return device_->info().n_multiprocessors; }
  KvFormat preferred_kv_format() const override { return KvFormat::kBF16; }
  void run_between_steps(std::span<const Launch> launches);
  void check_kv(KvFormat format, int head_dim) const override;
  uint64_t memory_for_kv() const override;
  uint64_t kv_limit() const override { return UINT64_MAX; }

  std::unique_ptr<Buffer> allocate(size_t bytes) override;
  std::string layout() const override { return "cuda"; }
  bool reads_in_place(DType, WeightUse) const override { return false; }
  std::unique_ptr<Weight> prepare_weight(const Tensor& tensor,
                                         std::span<const uint8_t> packed) override;
  std::unique_ptr<Weight> prepare_table(const Tensor& tensor, const Weight* same) override;

  void begin_step(const StepTables& tables) override;
  void start() override;
  bool is_async() const override { return true; }
  void wait() override;
  const float* host_view(const float* values, size_t n) override;

  void gather_rows(const GatherRowsParams& params) override;
  void select_rows(const SelectRowsParams& params) override;
  void rms_norm(const RmsNormParams& params) override;
  void linear(const LinearParams& params) override;
  void check_finite(const CheckFiniteParams& params) override;
  void silu_mul(const SiluMulParams& params) override;
  void kv_write(const KvWriteParams& params) override;
  void kv_copy(const KvCopyParams& params) override;
  void kv_gather(const KvGatherParams& params) override;
  void kv_merge(const KvMergeParams& params) override;
  void keep_queries(const KeepQueriesParams& params) override;
  void kv_signal(const KvSignalParams& params) override;
  void attention(const AttentionParams& params) override;
  void attention_merge(const AttentionMergeParams& params) override;
  void sample(const SampleParams& params) override;

 private:
  /** Bytes that the host gets when the step is done. */
  struct Result {
    const void* from;
    void* to;
    size_t bytes;
  };

  template <typename Args>
  void record(Op op, const Args& args) {
    launches_.push_back(Launch::of(op, args));
  }
  const StepHeader* step() const;
  std::shared_ptr<const DeviceMatrix> upload(const Tensor& tensor) const;
  PreparedRows prepare_rows(const float* x, RowKind kind, int32_t n_rows, int64_t n_inputs);
  bool prepared_by_writer(const float* x, const PreparedRows& rows);
  void record_linear(const PreparedRows& rows, int32_t n_rows,
                     std::span<const LinearOutput> outputs);
  void upload_step();
  bool place_slabs();
  template <typename Item>
  const Item* upload(std::span<const Item> items, CudaScratch* memory);
  void end_step();

  std::shared_ptr<const CudaDevice> device_;

  StepBuilder builder_;
  std::vector<Launch> launches_;
  std::vector<Result> results_;
  bool runs_ = false;  // the device works, since `start`
  Status copy_status_ = 0;
  Graphs graphs_;
  std::unique_ptr<CudaBuffer> tables_;  // the device's copy of builder_'s bytes
  std::unique_ptr<CudaBuffer> slabs_;   // the device's copy of StepTables::slabs
  PinnedMemory staging_, returned_;
  CudaScratch prepared_[5];  // by RowKind
  CudaScratch workspace_, counters_, attention_counters_, finite_, sampled_, edited_, edits_,
      masks_;
  std::vector<float> host_floats_;
};

}  // namespace cachalot::cuda
