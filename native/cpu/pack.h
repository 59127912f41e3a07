// File formats -> panels (device/packed.h).
#pragma once

#include <cstdint>

#include "backend/tensor.h"

namespace cachalot::cpu {

/** Bytes of one panel block and the inputs it covers. */
struct PanelShape {
  int64_t block_bytes;
  int64_t block_inputs;
};
PanelShape panel_shape(DType dtype);

/** Bytes of one packed panel of 16 outputs with K inputs. */
int64_t panel_bytes(DType dtype, int64_t n_inputs);

/** Packs outputs [16 panel, 16 panel + 16) of `tensor`; outputs past its end become zeros. */
void pack_panel(const Tensor& tensor, int64_t panel, uint8_t* out);

}  // namespace cachalot::cpu
