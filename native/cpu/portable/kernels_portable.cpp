#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu {

// Known at compile time: no code of this file may run before it is known that the machine can run
// it.
constinit const Kernels kPortableKernels = portable::table("portable");

}  // namespace cachalot::cpu
