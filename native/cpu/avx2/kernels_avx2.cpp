#include "cpu/avx2/kernels_avx2.h"

namespace cachalot::cpu {

const Kernels kAvx2Kernels = {
    "avx2",
    avx2::rms_norm,
    avx2::is_finite,
    avx2::silu_mul,
    avx2::quantize_row,
    avx2::round_bf16,
    avx2::linear_panels,
    avx2::linear_floats,
    avx2::attention_tile,
    avx2::max_value,
    avx2::sum_exp2,
};

}  // namespace cachalot::cpu
