// y = x W^T + bias. Work is cut along outputs only, never along K, so threads cannot change a sum.

#include <algorithm>

#include "base/check.h"
#include "cpu/device/packed.h"
#include "cpu/ops.h"
#include "cpu/pack.h"

namespace cachalot::cpu {

namespace {

// Pieces per thread: enough that a thread which shares its core takes fewer, few enough to cost
// nothing.
constexpr int kPiecesPerThread = 4;

int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

struct PreparedRows {
  QuantizedRows quantized{};
  uint16_t* bf16 = nullptr;
};

/** Converts x once for all weights that need it in int8 or bf16. */
PreparedRows prepare_rows(const OpContext& context, const LinearParams& params, int64_t n_inputs) {
  bool int8 = false, bf16 = false;
  for (const auto& output : params.outputs) {
    const DType dtype = static_cast<const CpuWeight*>(output.weight)->dtype();
    int8 = int8 || !is_float(dtype);
    bf16 = bf16 || dtype == DType::kBF16;
  }
  PreparedRows rows;
  if (!int8 && !bf16) return rows;
  const int64_t n = params.n_rows * n_inputs;
  const int64_t code_bytes = align64(n), scale_bytes = align64(n / 8);
  uint8_t* memory =
      context.scratch.get(static_cast<size_t>(code_bytes + 4 * scale_bytes + align64(2 * n)));
  rows.quantized = {reinterpret_cast<int8_t*>(memory),
                    reinterpret_cast<float*>(memory + code_bytes),
                    reinterpret_cast<int32_t*>(memory + code_bytes + scale_bytes),
                    reinterpret_cast<int32_t*>(memory + code_bytes + 3 * scale_bytes)};
  rows.bf16 = reinterpret_cast<uint16_t*>(memory + code_bytes + 4 * scale_bytes);
  context.pool.parallel_for(params.n_rows, [&](int row, int) {
    const float* x = params.x + row * n_inputs;
    const int64_t block = row * n_inputs / kQuantBlock;
    const QuantizedRows& q = rows.quantized;
    if (int8) {
      context.kernels.quantize_row(x, n_inputs, q.codes + row * n_inputs, q.scales + block,
                                   q.sums16 + 2 * block, q.sums32 + block);
    }
    if (bf16) context.kernels.round_bf16(x, n_inputs, rows.bf16 + row * n_inputs);
  });
  return rows;
}

/** Outputs [first, end) of one weight, in units of 16. */
void run_panels(const OpContext& context, const LinearParams& params, const PreparedRows& rows,
                const LinearOutput& output, int first, int end) {
  const auto& weight = *static_cast<const CpuWeight*>(output.weight);
  const auto dtype = static_cast<uint32_t>(weight.dtype());
  if (is_float(weight.dtype())) {
    const FloatTask task{dtype,
                         weight.data(),
                         weight.n_rows(),
                         weight.n_cols(),
                         params.x,
                         rows.bf16,
                         params.n_rows,
                         output.y,
                         int64_t{first} * kPanelOutputs,
                         std::min<int64_t>(int64_t{end} * kPanelOutputs, weight.n_rows())};
    context.kernels.linear_floats(&task);
  } else {
    const PanelTask task{dtype,           weight.data(),  weight.n_rows(),
                         weight.n_cols(), rows.quantized, params.n_rows,
                         output.y,        first,          end};
    context.kernels.linear_panels(&task);
  }
  if (output.bias == nullptr) return;
  const int64_t n = weight.n_rows(), begin = int64_t{first} * kPanelOutputs,
                stop = std::min<int64_t>(int64_t{end} * kPanelOutputs, n);
  for (int64_t row = 0; row < params.n_rows; row++) {
    for (int64_t i = begin; i < stop; i++) output.y[row * n + i] += output.bias[i];
  }
}

int panel_count(int64_t n_outputs) {
  return static_cast<int>((n_outputs + kPanelOutputs - 1) / kPanelOutputs);
}

}  // namespace

CpuWeight::CpuWeight(const Tensor& tensor, ThreadPool& pool) : tensor_(tensor) {
  if (is_float(tensor.dtype)) return;
  const int64_t bytes = panel_bytes(tensor.dtype, tensor.n_cols);
  const int n_panels = panel_count(tensor.n_rows);
  panels_ = MemoryRegion(static_cast<size_t>(bytes * n_panels));
  pool.parallel_for(
      n_panels, [&](int panel, int) { pack_panel(tensor, panel, panels_.data() + panel * bytes); });
}

void linear(const OpContext& context, const LinearParams& params) {
  CHECK(!params.outputs.empty(), "linear needs a weight");
  const int64_t n_inputs = params.outputs[0].weight->n_cols();
  int n_panels = 0;
  for (const auto& output : params.outputs) {
    CHECK(output.weight->n_cols() == n_inputs, "weights of one linear read the same x");
    n_panels += panel_count(output.weight->n_rows());
  }
  if (params.n_rows == 0) return;
  const PreparedRows rows = prepare_rows(context, params, n_inputs);
  const int n_pieces = std::min(n_panels, context.pool.size() * kPiecesPerThread);
  context.pool.parallel_for(n_pieces, [&](int piece, int) {
    int first = static_cast<int>(int64_t{n_panels} * piece / n_pieces);
    int left = static_cast<int>(int64_t{n_panels} * (piece + 1) / n_pieces) - first;
    for (const auto& output : params.outputs) {
      const int own = panel_count(output.weight->n_rows());
      const int n = std::min(left, own - first);
      if (n > 0) {
        run_panels(context, params, rows, output, first, first + n);
        left -= n;
      }
      first = std::max(0, first - own);
    }
  });
}

}  // namespace cachalot::cpu
