// Chooses the kernel of linear for a format of weights; see linear/kernel.h.

#include "cuda/formats.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

template <Format F>
void run_linear(const LinearArgs& args, simt::stream_t stream);  // linear/*.cu
extern template void run_linear<Format::kF16>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kBf16>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kQ8_0>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kQ4_0>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kQ4_K>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kQ6_K>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kIQ2_XXS>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kWide32>(const LinearArgs&, simt::stream_t);
extern template void run_linear<Format::kWide16>(const LinearArgs&, simt::stream_t);

void linear(const LaunchContext& context, const LinearArgs& args) {
  switch (static_cast<Format>(args.format)) {
    case Format::kF16: return run_linear<Format::kF16>(args, context.stream);
    case Format::kBf16:
    case Format::kBf16x3: return run_linear<Format::kBf16>(args, context.stream);
    case Format::kQ8_0: return run_linear<Format::kQ8_0>(args, context.stream);
    case Format::kQ4_0: return run_linear<Format::kQ4_0>(args, context.stream);
    case Format::kQ4_K: return run_linear<Format::kQ4_K>(args, context.stream);
    case Format::kQ6_K: return run_linear<Format::kQ6_K>(args, context.stream);
    case Format::kIQ2_XXS: return run_linear<Format::kIQ2_XXS>(args, context.stream);
    case Format::kWide32: return run_linear<Format::kWide32>(args, context.stream);
    case Format::kWide16: return run_linear<Format::kWide16>(args, context.stream);
  }
}

}  // namespace cachalot::cuda
