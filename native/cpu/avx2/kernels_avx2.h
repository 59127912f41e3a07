// The functions of this path; kernels_avx2.cpp puts them in the table.
#pragma once

#include "cpu/kernels.h"

namespace cachalot::cpu::avx2 {

void rms_norm(float* x, const float* delta, const float* weight, float epsilon, int32_t width,
              float* out);
uint8_t is_finite(const float* x, const float* delta, int32_t width);
void silu_mul(const float* gate, const float* up, int64_t n, float* out);
void quantize_row(const float* x, int64_t n, int8_t* codes, float* scales, int32_t* sums16,
                  int32_t* sums32);
void round_bf16(const float* x, int64_t n, uint16_t* out);
void linear_panels(const PanelTask* task);
void linear_floats(const FloatTask* task);
void attention_tile(const AttentionTile* tile);
void max_value(const float* x, int64_t n, float* max, int32_t* has_nan);
double sum_exp2(const float* x, int64_t n, float max, float scale);

}  // namespace cachalot::cpu::avx2
