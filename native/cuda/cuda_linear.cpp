// Cuts `linear` into launches: one for all weights of a kind, after the rows have been prepared for
// them.

#include <algorithm>

#include "base/check.h"
#include "cuda/cuda_backend.h"

namespace cachalot::cuda {

namespace {

RowKind kind_of(Format format) {
  switch (format) {
    case Format::kF16: return RowKind::kF16;
    case Format::kBf16: return RowKind::kBf16;
    case Format::kBf16x3: return RowKind::kBf16x3;
    default: return RowKind::kBytes;
  }
}

const DeviceMatrix& matrix_of(const LinearOutput& output) {
  return static_cast<const CudaWeight*>(output.weight)->matrix();
}

int64_t align(int64_t bytes) { return (bytes + 255) / 256 * 256; }

/** Makes the launch, which writes x, also write the prepared rows, unless it already has some. */
template <typename Args>
bool offer(Launch* launch, Op op, const PreparedRows& rows) {
  Args args = launch->as<Args>();
  if (args.prepared.kind != RowKind::kNone) return false;
  args.prepared = rows;
  *launch = Launch::of(op, args);
  return true;
}

}  // namespace

/** Lets the kernel that writes x also prepare it for `linear`, which saves a launch and a pass. */
bool CudaBackend::prepared_by_writer(const float* x, const PreparedRows& rows) {
  for (auto launch = launches_.rbegin(); launch != launches_.rend(); ++launch) {
    switch (launch->op) {
      case Op::kRmsNorm:
        if (launch->as<RmsNormArgs>().out == x)
          return offer<RmsNormArgs>(&*launch, launch->op, rows);
        break;
      case Op::kSiluMul:
        if (launch->as<SiluMulArgs>().out == x)
          return offer<SiluMulArgs>(&*launch, launch->op, rows);
        break;
      case Op::kAttentionMerge:
        if (launch->as<AttentionMergeArgs>().out == x)
          return offer<AttentionMergeArgs>(&*launch, launch->op, rows);
        break;
      default: return false;  // it may write x, or the rows of another x
    }
  }
  return false;
}

PreparedRows CudaBackend::prepare_rows(const float* x, RowKind kind, int32_t n_rows,
                                       int64_t n_inputs) {
  const bool bytes = kind == RowKind::kBytes;
  const Format format = bytes                      ? Format::kQ8_0
                        : kind == RowKind::kBf16x3 ? Format::kBf16x3
                                                   : Format::kBf16;
  const int64_t padded = chunk_count(format, n_inputs) * chunk_inputs(format);
  const int64_t code_bytes = align(n_rows * padded * (bytes ? 1 : 2));
  const int64_t scale_bytes = bytes ? align(n_rows * padded / 8) : 0;
  uint8_t* memory =
      prepared_[static_cast<int>(kind)].get(static_cast<size_t>(code_bytes + 2 * scale_bytes));
  const PreparedRows rows{memory, reinterpret_cast<float*>(memory + code_bytes),
                          reinterpret_cast<int16_t*>(memory + code_bytes + scale_bytes), kind,
                          static_cast<int32_t>(padded)};
  if (!prepared_by_writer(x, rows))
    record(Op::kPrepareRows, PrepareRowsArgs{x, rows, n_rows, static_cast<int32_t>(n_inputs)});
  return rows;
}

void CudaBackend::record_linear(const PreparedRows& rows, int32_t n_rows,
                                std::span<const LinearOutput> outputs) {
  const DeviceMatrix& first = matrix_of(outputs[0]);
  const int tokens = token_tile(first.format, n_rows), token_tiles = (n_rows + tokens - 1) / tokens;
  int64_t n_panels = 0;
  for (const LinearOutput& output : outputs) n_panels += panel_count(output.weight->n_rows());
  LinearArgs args{};
  args.rows = rows;
  args.format = static_cast<int32_t>(first.format);
  args.n_rows = n_rows;
  args.n_chunks = static_cast<int32_t>(chunk_count(first.format, first.n_cols));
  args.token_tile = tokens;
  // With enough tiles for all multiprocessors, a block adds up the slices of its tile by itself.
  args.serial_slices = tokens == 128 && n_panels * token_tiles >= device_->info().n_multiprocessors;
  int panel = 0;
  for (const LinearOutput& output : outputs) {
    const DeviceMatrix& matrix = matrix_of(output);
    CHECK(matrix.n_cols == first.n_cols, "weights of one linear read the same x");
    const int n_slices = slice_count(matrix.n_rows, args.n_chunks);
    const int own_panels = static_cast<int>(panel_count(matrix.n_rows));
    args.outputs[args.n_used++] = {
        matrix.buffer.data(), output.bias, output.y, static_cast<int32_t>(matrix.n_rows), n_slices,
        args.n_ctas,          panel};
    args.n_ctas += own_panels * (args.serial_slices ? 1 : n_slices);
    panel += own_panels;
  }
  if (!args.serial_slices) {
    const auto blocks = static_cast<size_t>(args.n_ctas) * static_cast<size_t>(token_tiles);
    const auto floats = static_cast<size_t>(tokens) * kPanelOutputs;
    args.workspace = reinterpret_cast<float*>(workspace_.get(blocks * floats * sizeof(float)));
    args.counters = reinterpret_cast<int32_t*>(counters_.get(
        static_cast<size_t>(panel) * static_cast<size_t>(token_tiles) * sizeof(int32_t)));
  }
  record(Op::kLinear, args);
}

void CudaBackend::linear(const LinearParams& params) {
  CHECK(!params.outputs.empty(), "linear needs a weight");
  if (params.n_rows == 0) return;
  std::vector<bool> done(params.outputs.size());
  PreparedRows of_kind[5] = {};
  for (size_t i = 0; i < done.size(); i++) {
    if (done[i]) continue;
    const Format format = matrix_of(params.outputs[i]).format;
    std::vector<LinearOutput> same;
    for (size_t j = i; j < done.size() && same.size() < kMaxOutputs; j++) {
      if (done[j] || matrix_of(params.outputs[j]).format != format) continue;
      same.push_back(params.outputs[j]);
      done[j] = true;
    }
    PreparedRows& rows = of_kind[static_cast<int>(kind_of(format))];
    if (rows.kind == RowKind::kNone)
      rows = prepare_rows(params.x, kind_of(format), params.n_rows, same[0].weight->n_cols());
    record_linear(rows, params.n_rows, same);
  }
}

}  // namespace cachalot::cuda
