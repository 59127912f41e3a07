#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu {

// Known at compile time: nothing of this file may run before the machine has been asked what it can
// do.
constinit const Kernels kPortableKernels = portable::table("portable");

}  // namespace cachalot::cpu
