// y = x W^T for F32, F16 and BF16 weights read in place: 16 partial sums along K, then their sum.

#include "base/half.h"
#include "cpu/portable/kernels_portable.h"

namespace cachalot::cpu::portable {

namespace {

constexpr int kLanes = 16;

float read_f32(const uint8_t* w, int64_t i) { return float_from_bits(load_u32(w + 4 * i)); }
float read_f16(const uint8_t* w, int64_t i) { return f16_to_f32(load_u16(w + 2 * i)); }
float read_bf16(const uint8_t* w, int64_t i) { return bf16_to_f32(load_u16(w + 2 * i)); }

template <float (*kRead)(const uint8_t*, int64_t)>
void run(const FloatTask& task, int bytes) {
  for (int64_t output = task.first_output; output < task.end_output; output++) {
    const uint8_t* w = task.weight + output * task.n_inputs * bytes;
    for (int64_t row = 0; row < task.n_rows; row++) {
      const float* x = task.x + row * task.n_inputs;
      float lanes[kLanes] = {};
      for (int64_t k = 0; k < task.n_inputs; k++) lanes[k % kLanes] += kRead(w, k) * x[k];
      float sum = 0;
      for (const float lane : lanes) sum += lane;
      task.y[row * task.n_outputs + output] = sum;
    }
  }
}

}  // namespace

void linear_floats(const FloatTask* task) {
  switch (task->dtype) {
    case DType::kF32: return run<read_f32>(*task, 4);
    case DType::kF16: return run<read_f16>(*task, 2);
    case DType::kBF16: return run<read_bf16>(*task, 2);
    default: return;
  }
}

}  // namespace cachalot::cpu::portable
