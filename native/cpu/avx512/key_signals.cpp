// See device/key_signals.inc.

#include "cpu/avx512/kernels_avx512.h"
#include "cpu/device/exp2.h"

namespace cachalot::cpu::avx512 {

constexpr int kLanes = 16;

#include "cpu/device/key_signals.inc"

}  // namespace cachalot::cpu::avx512
