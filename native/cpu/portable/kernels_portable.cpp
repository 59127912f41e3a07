#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu {

const Kernels kPortableKernels = {
    "portable",
    portable::rms_norm,
    portable::is_finite,
    portable::silu_mul,
    portable::quantize_row,
    portable::round_bf16,
    portable::linear_panels,
    portable::linear_floats,
    portable::attention_tile,
    portable::max_value,
    portable::sum_exp2,
};

}  // namespace cachalot::cpu
