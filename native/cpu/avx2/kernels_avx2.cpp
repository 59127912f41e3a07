#include "cpu/avx2/kernels_avx2.h"

namespace cachalot::cpu {

namespace {

constexpr Kernels with_vnni() {
  Kernels kernels = avx2::table("avxvnni");
  kernels.linear_panels = avx2::linear_panels_vnni;
  kernels.spin_int8 = avx2::spin_int8_vnni;
  return kernels;
}

}  // namespace

// Known at compile time: no code of this file may run before it is known that the machine can run
// it.
constinit const Kernels kAvx2Kernels = avx2::table("avx2");
constinit const Kernels kAvxVnniKernels = with_vnni();

}  // namespace cachalot::cpu
