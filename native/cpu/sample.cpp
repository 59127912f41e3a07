// Draws one token per row by the Gumbel-max trick with noise keyed by (seed, completion, position,
// token): the draw is a pure function of the logits and the key, whatever else is in the step.

#include <cmath>

#include "cpu/device/exp2.h"
#include "cpu/ops.h"

namespace cachalot::cpu {

namespace {

// -log(-log(u)) for u in [2^-33, 1 - 2^-33] lies in [-3.2, 22.9]: a token further than this below
// the largest logit (divided by the temperature) cannot win, and its noise need not be drawn.
constexpr float kNoiseRange = 26.2f;

/** SplitMix64's finalizer (Steele, Lea, Flood 2014). */
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t row_key(const SampleRow& row) {
  return mix(mix(mix(row.seed) ^ row.completion) ^
             static_cast<uint64_t>(static_cast<uint32_t>(row.position)));
}

double gumbel(uint64_t key, int32_t token) {
  const uint64_t bits = mix(key ^ static_cast<uint64_t>(token)) >> 32;
  const double uniform = (static_cast<double>(bits) + 0.5) * 0x1p-32;
  return -std::log(-std::log(uniform));
}

int32_t draw(const float* logits, int32_t vocabulary, float max, const SampleRow& row) {
  if (row.temperature <= 0.0f) {
    int32_t token = 0;
    while (logits[token] != max) token++;
    return token;
  }
  const uint64_t key = row_key(row);
  const float threshold = max - kNoiseRange * row.temperature;
  int32_t best = -1;
  double best_value = 0;
  for (int32_t token = 0; token < vocabulary; token++) {
    if (logits[token] < threshold) continue;
    const double value = static_cast<double>(logits[token]) / row.temperature + gumbel(key, token);
    if (best < 0 || value > best_value) {
      best = token;
      best_value = value;
    }
  }
  return best;
}

SampledToken sample_row(const Kernels& kernels, const float* logits, int32_t vocabulary,
                        const SampleRow& row) {
  float max;
  int32_t has_nan;
  kernels.max_value(logits, vocabulary, &max, &has_nan);
  if (has_nan != 0 || !std::isfinite(max)) return {-1, NAN};
  const double log_sum = std::log(kernels.sum_exp2(logits, vocabulary, max, kLog2E));
  const int32_t token =
      row.forced_token >= 0 ? row.forced_token : draw(logits, vocabulary, max, row);
  return {token, static_cast<float>(static_cast<double>(logits[token]) - max - log_sum)};
}

}  // namespace

void sample(const OpContext& context, const SampleParams& params) {
  context.pool.parallel_for(static_cast<int>(params.rows.size()), [&](int row, int) {
    const float* logits = params.logits + int64_t{row} * params.vocabulary;
    params.out[row] = sample_row(context.kernels, logits, params.vocabulary,
                                 params.rows[static_cast<size_t>(row)]);
  });
}

}  // namespace cachalot::cpu
