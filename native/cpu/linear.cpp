// y = x W^T + bias. Work is cut along outputs only, never along K, so threads cannot change a sum.

#include <algorithm>

#include "base/check.h"
#include "cpu/device/packed.h"
#include "cpu/ops.h"
#include "cpu/pack.h"
#include "cpu/row_writer.h"

namespace cachalot::cpu {

namespace {

// Outputs are cut in pairs of panels, which kernels take together. A piece is some microseconds of
// a core's work: enough to be worth taking, and a short wait when a core is busy elsewhere. A
// weight that is read for many rows counts as more than its bytes.
constexpr int kUnit = 2;  // panels
constexpr int64_t kPieceBytes = 64 << 10;
constexpr int64_t kRowsPerReading = 8;
constexpr int64_t kPiecesPerThread = 16;

constexpr int64_t kSmallestConversion = 4096;  // values that are worth handing over

int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// If rows were a power of two long, all would fall into the same sets of the first-level cache.
constexpr int64_t kBf16Padding = 32;

struct PreparedRows {
  QuantizedRows quantized{};
  uint16_t* bf16 = nullptr;
  int64_t bf16_stride = 0;
};

/** Converts x once for all weights that need it in int8 or bf16, after it has been written. */
PreparedRows prepare_rows(const OpContext& context, const LinearParams& params, int64_t n_inputs,
                          const RowWriter* writer) {
  bool int8 = false, bf16 = false;
  for (const auto& output : params.outputs) {
    const DType dtype = static_cast<const CpuWeight*>(output.weight)->dtype();
    int8 = int8 || !is_float(dtype);
    bf16 = bf16 || dtype == DType::kBF16;
  }
  PreparedRows rows;
  if (!int8 && !bf16 && writer == nullptr) return rows;
  const int64_t n = params.n_rows * n_inputs;
  const int64_t code_bytes = align64(n), scale_bytes = align64(n / 8);
  rows.bf16_stride = n_inputs + kBf16Padding;
  const int64_t bf16_bytes = align64(2 * params.n_rows * rows.bf16_stride);
  uint8_t* memory =
      context.scratch.get(static_cast<size_t>(code_bytes + 4 * scale_bytes + bf16_bytes));
  rows.quantized = {reinterpret_cast<int8_t*>(memory),
                    reinterpret_cast<float*>(memory + code_bytes),
                    reinterpret_cast<int32_t*>(memory + code_bytes + scale_bytes),
                    reinterpret_cast<int32_t*>(memory + code_bytes + 3 * scale_bytes)};
  rows.bf16 = reinterpret_cast<uint16_t*>(memory + code_bytes + 4 * scale_bytes);
  const auto convert = [&](int64_t first, int64_t end, int) {
    for (int64_t row = first; row < end; row++) {
      if (writer != nullptr) writer->write(context.kernels, row);
      const float* x = params.x + row * n_inputs;
      const int64_t block = row * n_inputs / kQuantBlock;
      const QuantizedRows& q = rows.quantized;
      if (int8) {
        context.kernels.quantize_row(x, n_inputs, q.codes + row * n_inputs, q.scales + block,
                                     q.sums16 + 2 * block, q.sums32 + block);
      }
      if (bf16) context.kernels.round_bf16(x, n_inputs, rows.bf16 + row * rows.bf16_stride);
    }
  };
  context.pool.parallel_ranges(params.n_rows, kSmallestConversion / n_inputs + 1, convert);
  return rows;
}

int panel_count(int64_t n_outputs) {
  return static_cast<int>((n_outputs + kPanelOutputs - 1) / kPanelOutputs);
}

int unit_count(const Weight& weight) { return (panel_count(weight.n_rows()) + kUnit - 1) / kUnit; }

/** One linear op: decides which thread computes which outputs. */
class LinearRun {
 public:
  LinearRun(const OpContext& context, const LinearParams& params, const RowWriter* writer)
      : context_(context),
        params_(params),
        writer_(writer),
        n_inputs_(params.outputs[0].weight->n_cols()) {
    for (const auto& output : params.outputs) {
      const auto& weight = *static_cast<const CpuWeight*>(output.weight);
      CHECK(weight.n_cols() == n_inputs_, "weights of one linear read the same x");
      n_units_ += unit_count(weight);
      bytes_ += weight.bytes();
      packed_ = packed_ || !is_float(weight.dtype());
    }
  }

  void run() {
    rows_ = prepare_rows(context_, params_, n_inputs_, writer_);
    const int64_t scratch = packed_ ? align64(panel_scratch_bytes(n_inputs_)) : 0;
    uint8_t* memory =
        context_.panel_scratch.get(static_cast<size_t>(scratch * context_.pool.size()));
    const int n_pieces = piece_count();
    context_.pool.parallel_for(n_pieces, [&](int piece, int thread) {
      run_units(n_units_ * piece / n_pieces, n_units_ * (piece + 1) / n_pieces,
                memory + scratch * thread);
    });
  }

 private:
  /** Enough pieces for about equal shares of all threads, if nothing disturbs them. */
  int piece_count() const {
    const int64_t threads = context_.pool.size();
    const int64_t work = bytes_ * (1 + params_.n_rows / kRowsPerReading);
    const int64_t per_thread =
        std::clamp<int64_t>(work / kPieceBytes / threads, 1, kPiecesPerThread);
    return static_cast<int>(std::min(n_units_, per_thread * threads));
  }

  /** Units [first, end), counted through all outputs. */
  void run_units(int64_t first, int64_t end, uint8_t* scratch) const {
    for (const auto& output : params_.outputs) {
      const int64_t own = unit_count(*output.weight);
      if (first < own && end > 0) {
        const int n_panels = panel_count(output.weight->n_rows());
        run_panels(output, static_cast<int>(std::max<int64_t>(first, 0)) * kUnit,
                   std::min(static_cast<int>(end) * kUnit, n_panels), scratch);
      }
      first -= own;
      end -= own;
    }
  }

  void run_panels(const LinearOutput& output, int first, int end, uint8_t* scratch) const {
    const auto& weight = *static_cast<const CpuWeight*>(output.weight);
    const DType dtype = weight.dtype();
    const int64_t n = weight.n_rows(), begin = int64_t{first} * kPanelOutputs,
                  stop = std::min<int64_t>(int64_t{end} * kPanelOutputs, n);
    if (is_float(weight.dtype())) {
      const FloatTask task{
          dtype,          weight.data(), n,     n_inputs_, params_.x, rows_.bf16, rows_.bf16_stride,
          params_.n_rows, output.y,      begin, stop};
      context_.kernels.linear_floats(&task);
    } else {
      const PanelTask task{dtype,          weight.data(), n,     n_inputs_, rows_.quantized,
                           params_.n_rows, output.y,      first, end,       scratch};
      context_.kernels.linear_panels(&task);
    }
    if (output.bias == nullptr) return;
    for (int64_t row = 0; row < params_.n_rows; row++) {
      for (int64_t i = begin; i < stop; i++) output.y[row * n + i] += output.bias[i];
    }
  }

  const OpContext& context_;
  const LinearParams& params_;
  const RowWriter* writer_;
  const int64_t n_inputs_;
  int64_t n_units_ = 0, bytes_ = 0;
  bool packed_ = false;
  PreparedRows rows_;
};

}  // namespace

CpuWeight::CpuWeight(const Tensor& tensor, std::span<const uint8_t> packed, ThreadPool& pool)
    : tensor_(tensor), panels_(packed) {
  if (is_float(tensor.dtype)) return;
  const int64_t bytes = panel_bytes(tensor.dtype, tensor.n_cols);
  const int n_panels = panel_count(tensor.n_rows);
  if (packed.size() == static_cast<size_t>(bytes * n_panels)) return;
  own_ = MemoryRegion(static_cast<size_t>(bytes * n_panels));
  panels_ = {own_.data(), own_.size()};
  pool.parallel_for(
      n_panels, [&](int panel, int) { pack_panel(tensor, panel, own_.data() + panel * bytes); });
}

void linear(const OpContext& context, const LinearParams& params, const RowWriter* writer) {
  CHECK(!params.outputs.empty(), "linear needs a weight");
  if (params.n_rows > 0) LinearRun(context, params, writer).run();
}

}  // namespace cachalot::cpu
