// Kernels of linear; files of their own, because each takes a while to compile.

#include "cuda/linear/kernel.h"

namespace cachalot::cuda {

template void run_linear<Format::kQ8_0>(const LinearArgs& args, simt::stream_t stream);
template void run_linear<Format::kQ4_0>(const LinearArgs& args, simt::stream_t stream);
template void run_linear<Format::kWide32>(const LinearArgs& args, simt::stream_t stream);

}  // namespace cachalot::cuda
