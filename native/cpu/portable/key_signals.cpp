// See device/key_signals.inc.

#include "cpu/device/exp2.h"
#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

constexpr int kLanes = 4;

#include "cpu/device/key_signals.inc"

}  // namespace cachalot::cpu::portable
