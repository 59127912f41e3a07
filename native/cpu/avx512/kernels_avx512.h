// The path for AVX-512 with VNNI and BF16.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu::avx512 {

#include "cpu/kernel_functions.inc"

}  // namespace cachalot::cpu::avx512
