#include <algorithm>

#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

constexpr int64_t kPiece = 4096;  // values: enough work to be worth handing over

}  // namespace

void silu_mul(const OpContext& context, const SiluMulParams& params) {
  const int64_t n = int64_t{params.n_rows} * params.width;
  context.pool.parallel_for(static_cast<int>((n + kPiece - 1) / kPiece), [&](int piece, int) {
    const int64_t at = piece * kPiece;
    context.kernels.silu_mul(params.gate + at, params.up + at, std::min(kPiece, n - at),
                             params.out + at);
  });
}

}  // namespace cachalot::cpu
