// See device/key_signals.inc.

#include "cpu/avx2/kernels_avx2.h"
#include "cpu/device/exp2.h"

namespace cachalot::cpu::avx2 {

constexpr int kLanes = 8;

#include "cpu/device/key_signals.inc"

}  // namespace cachalot::cpu::avx2
