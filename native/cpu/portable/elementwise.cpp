// The ops that touch each value once or twice. Sums run over 16 lanes in order, as on the vector
// paths, so that a compiler may vectorize them without changing a bit.

#include <math.h>

#include "cpu/device/exp2.h"
#include "cpu/device/rope.h"
#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

namespace {

constexpr int kLanes = 16;

float add_lanes(const float* lanes) {
  float sum = 0;
  for (int i = 0; i < kLanes; i++) sum += lanes[i];
  return sum;
}

}  // namespace

void rotate(const Rotation* rotation, const float* x, float* out) {
  rotate_plain(*rotation, x, out);
}

void rms_norm(float* x, const float* delta, const float* weight, float epsilon, int32_t width,
              float* out) {
  float squares[kLanes] = {};
  for (int32_t i = 0; i < width; i++) {
    if (delta != nullptr) x[i] += delta[i];
    squares[i % kLanes] += x[i] * x[i];
  }
  const float scale = 1.0f / sqrtf(add_lanes(squares) / static_cast<float>(width) + epsilon);
  for (int32_t i = 0; i < width; i++) out[i] = x[i] * scale * weight[i];
}

uint8_t is_finite(const float* x, const float* delta, int32_t width) {
  float zeros = 0;
  for (int32_t i = 0; i < width; i++)
    zeros += (x[i] + delta[i]) * 0.0f;  // NaN and infinity give NaN
  return zeros == 0.0f;
}

void silu_mul(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; i++) {
    const float power = -kLog2E * gate[i];
    out[i] = gate[i] / (1.0f + exp2_f32(power > 126.0f ? 126.0f : power)) * up[i];
  }
}

void quantize_row(const float* x, int64_t n, int8_t* codes, float* scales, int32_t* sums16,
                  int32_t* sums32) {
  for (int64_t block = 0; block < n / 32; block++, x += 32, codes += 32) {
    float largest = 0;
    bool nan = false;
    for (int i = 0; i < 32; i++) {
      largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
      nan = nan || x[i] != x[i];
    }
    // A NaN scale keeps a NaN, and the request that made it fails alone.
    scales[block] = nan ? NAN : largest / 127.0f;
    const float inverse = !nan && largest > kLeastLargest ? 127.0f / largest : 0.0f;
    sums16[2 * block] = sums16[2 * block + 1] = 0;
    for (int i = 0; i < 32; i++) {
      codes[i] = nan ? int8_t{0} : static_cast<int8_t>(lrintf(x[i] * inverse));
      sums16[2 * block + i / 16] += codes[i];
    }
    sums32[block] = sums16[2 * block] + sums16[2 * block + 1];
  }
}

void round_bf16(const float* x, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; i++) out[i] = f32_to_bf16(x[i]);
}

void max_value(const float* x, int64_t n, float* max, int32_t* has_nan) {
  *max = -INFINITY;
  *has_nan = 0;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] != x[i]) *has_nan = 1;
    if (x[i] > *max) *max = x[i];
  }
}

double sum_exp2(const float* x, int64_t n, float max, float scale) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += exp2_f32((x[i] - max) * scale);
  return sum;
}

}  // namespace cachalot::cpu::portable
