// Kernels of linear; files of their own, because each takes a while to compile.

#include "cuda/linear/kernel.h"

namespace cachalot::cuda {

template void run_linear<Format::kIQ2_XXS>(const LinearArgs& args, simt::stream_t stream);
template void run_linear<Format::kWide16>(const LinearArgs& args, simt::stream_t stream);

}  // namespace cachalot::cuda
