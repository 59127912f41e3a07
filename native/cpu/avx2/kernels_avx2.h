// The path for AVX2 with FMA and F16C.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu::avx2 {

#include "cpu/kernel_functions.inc"

void linear_panels_vnni(const PanelTask* task);

}  // namespace cachalot::cpu::avx2
