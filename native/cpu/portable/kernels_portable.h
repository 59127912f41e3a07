// The path that runs everywhere: plain C++ that a compiler may vectorize, no reassociation, no
// fused multiply-add.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu::portable {

#include "cpu/kernel_functions.inc"

}  // namespace cachalot::cpu::portable
