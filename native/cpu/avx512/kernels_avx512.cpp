#include "cpu/avx512/kernels_avx512.h"

namespace cachalot::cpu {

// Known at compile time: nothing of this file may run before the machine has been asked what it can
// do.
constinit const Kernels kAvx512Kernels = avx512::table("avx512");

}  // namespace cachalot::cpu
