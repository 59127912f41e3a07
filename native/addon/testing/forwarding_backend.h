// A backend that hands every call on to another one. A decorator overrides the methods it changes.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backend/backend.h"

namespace cachalot::addon {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(std::unique_ptr<Backend> inner) : inner_(std::move(inner)) {}

  DeviceDescription device() const override { return inner_->device(); }
  int parallelism() const override { return inner_->parallelism(); }
  KvFormat preferred_kv_format() const override { return inner_->preferred_kv_format(); }
  void check_kv(KvFormat format, int head_dim) const override {
    inner_->check_kv(format, head_dim);
  }
  std::unique_ptr<Buffer> allocate(size_t bytes) override { return inner_->allocate(bytes); }
  uint64_t memory_for_kv() const override { return inner_->memory_for_kv(); }
  uint64_t kv_limit() const override { return inner_->kv_limit(); }
  std::string layout() const override { return inner_->layout(); }
  bool reads_in_place(DType dtype, WeightUse use) const override {
    return inner_->reads_in_place(dtype, use);
  }
  std::unique_ptr<Weight> prepare_weight(const Tensor& tensor,
                                         std::span<const uint8_t> packed) override {
    return inner_->prepare_weight(tensor, packed);
  }
  std::unique_ptr<Weight> prepare_table(const Tensor& tensor, const Weight* same) override {
    return inner_->prepare_table(tensor, same);
  }

  void begin_step(const StepTables& tables) override { inner_->begin_step(tables); }
  void start() override { inner_->start(); }
  bool is_async() const override { return inner_->is_async(); }
  void wait() override { inner_->wait(); }
  const float* host_view(const float* values, size_t n) override {
    return inner_->host_view(values, n);
  }

  void gather_rows(const GatherRowsParams& params) override { inner_->gather_rows(params); }
  void select_rows(const SelectRowsParams& params) override { inner_->select_rows(params); }
  void rms_norm(const RmsNormParams& params) override { inner_->rms_norm(params); }
  void linear(const LinearParams& params) override { inner_->linear(params); }
  void check_finite(const CheckFiniteParams& params) override { inner_->check_finite(params); }
  void silu_mul(const SiluMulParams& params) override { inner_->silu_mul(params); }
  void kv_write(const KvWriteParams& params) override { inner_->kv_write(params); }
  void kv_copy(const KvCopyParams& params) override { inner_->kv_copy(params); }
  void kv_gather(const KvGatherParams& params) override { inner_->kv_gather(params); }
  void kv_merge(const KvMergeParams& params) override { inner_->kv_merge(params); }
  void keep_queries(const KeepQueriesParams& params) override { inner_->keep_queries(params); }
  void kv_signal(const KvSignalParams& params) override { inner_->kv_signal(params); }
  void attention(const AttentionParams& params) override { inner_->attention(params); }
  void attention_merge(const AttentionMergeParams& params) override {
    inner_->attention_merge(params);
  }
  void sample(const SampleParams& params) override { inner_->sample(params); }

 private:
  std::unique_ptr<Backend> inner_;
};

}  // namespace cachalot::addon
