#include "cpu/avx512/kernels_avx512.h"

namespace cachalot::cpu {

const Kernels kAvx512Kernels = {
    "avx512",
    avx512::rms_norm,
    avx512::is_finite,
    avx512::silu_mul,
    avx512::quantize_row,
    avx512::round_bf16,
    avx512::linear_panels,
    avx512::linear_floats,
    avx512::attention_tile,
    avx512::max_value,
    avx512::sum_exp2,
};

}  // namespace cachalot::cpu
