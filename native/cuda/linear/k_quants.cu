// Kernels of linear; files of their own, because each takes a while to compile.

#include "cuda/linear/kernel.h"

namespace cachalot::cuda {

template void run_linear<Format::kQ4_K>(const LinearArgs& args, simt::stream_t stream);
template void run_linear<Format::kQ6_K>(const LinearArgs& args, simt::stream_t stream);

}  // namespace cachalot::cuda
