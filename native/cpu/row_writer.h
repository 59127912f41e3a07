// An op that makes each row of its output from the same row of its inputs. It may wait for the
// `linear` that reads its rows: each is then made and prepared for the product while it is in the
// first-level cache, in one region. The bits are those of one op after the other.
#pragma once

#include <variant>

#include "backend/params.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

class RowWriter {
 public:
  explicit RowWriter(const RmsNormParams& params) : params_(params) {}
  explicit RowWriter(const SiluMulParams& params) : params_(params) {}

  const float* out() const {
    return std::visit([](const auto& params) -> const float* { return params.out; }, params_);
  }
  int32_t n_rows() const {
    return std::visit([](const auto& params) { return params.n_rows; }, params_);
  }
  int32_t width() const {
    return std::visit([](const auto& params) { return params.width; }, params_);
  }
  /** The op, by itself. */
  void run(const OpContext& context) const {
    std::visit([&](const auto& params) { run(context, params); }, params_);
  }
  /** One row of it. */
  void write(const Kernels& kernels, int64_t row) const {
    std::visit([&](const auto& params) { write(kernels, params, row * params.width); }, params_);
  }

 private:
  static void run(const OpContext& context, const RmsNormParams& params) {
    rms_norm(context, params);
  }
  static void run(const OpContext& context, const SiluMulParams& params) {
    silu_mul(context, params);
  }
  static void write(const Kernels& kernels, const RmsNormParams& params, int64_t at) {
    const float* delta = params.delta == nullptr ? nullptr : params.delta + at;
    kernels.rms_norm(params.x + at, delta, params.weight, params.epsilon, params.width,
                     params.out + at);
  }
  static void write(const Kernels& kernels, const SiluMulParams& params, int64_t at) {
    kernels.silu_mul(params.gate + at, params.up + at, params.width, params.out + at);
  }

  std::variant<RmsNormParams, SiluMulParams> params_;
};

}  // namespace cachalot::cpu
