// The path for AVX2 with FMA and F16C.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu::avx2 {

#include "cpu/kernel_functions.inc"

void linear_panels_vnni(const PanelTask* task);
double spin_int8_vnni(int64_t rounds);

}  // namespace cachalot::cpu::avx2
