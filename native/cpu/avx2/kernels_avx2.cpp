#include "cpu/avx2/kernels_avx2.h"

namespace cachalot::cpu {

// Known at compile time: nothing of this file may run before the machine has been asked what it can
// do.
constinit const Kernels kAvx2Kernels = avx2::table("avx2");

}  // namespace cachalot::cpu
