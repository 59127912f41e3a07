#include "cpu/avx512/kernels_avx512.h"

namespace cachalot::cpu {

// Known at compile time: no code of this file may run before it is known that the machine can run
// it.
constinit const Kernels kAvx512Kernels = avx512::table("avx512");

}  // namespace cachalot::cpu
