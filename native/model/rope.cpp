#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cachalot {

namespace {

constexpr double kTwoPi = 2 * std::numbers::pi;

/** Llama 3: wavelengths above original / low are stretched, those below original / high are kept,
 * and those between are mixed. */
double llama3_frequency(const RopeConfig& rope, double frequency) {
  const double turns = rope.original_context * frequency / kTwoPi;  // over the trained context
  const double low = rope.low_frequency_factor, high = rope.high_frequency_factor;
  const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return (1 - kept) * frequency / rope.factor + kept * frequency;
}

/** YaRN: the pair of dims that makes `turns` turns over the trained context. */
double yarn_pair(const RopeConfig& rope, double turns) {
  return rope.dims * std::log(rope.original_context / (turns * kTwoPi)) /
         (2 * std::log(static_cast<double>(rope.base)));
}

double yarn_frequency(const RopeConfig& rope, int pair, double frequency) {
  const double low = std::max(0.0, std::floor(yarn_pair(rope, rope.beta_fast)));
  const double high = std::min<double>(rope.dims - 1, std::ceil(yarn_pair(rope, rope.beta_slow)));
  const double stretched = std::clamp((pair - low) / std::max(0.001, high - low), 0.0, 1.0);
  return stretched * frequency / rope.factor + (1 - stretched) * frequency;
}

}  // namespace

std::vector<double> rope_frequencies(const RopeConfig& rope) {
  std::vector<double> frequencies;
  for (int pair = 0; pair < rope.dims / 2; pair++) {
    double frequency = std::pow(static_cast<double>(rope.base), -2.0 * pair / rope.dims);
    if (!rope.divisors.empty()) frequency /= rope.divisors[static_cast<size_t>(pair)];
    switch (rope.scaling) {
      case RopeScaling::kNone:
      case RopeScaling::kLongRope: break;  // its divisors are all
      case RopeScaling::kLinear: frequency /= rope.factor; break;
      case RopeScaling::kLlama3: frequency = llama3_frequency(rope, frequency); break;
      case RopeScaling::kYarn: frequency = yarn_frequency(rope, pair, frequency); break;
    }
    frequencies.push_back(frequency);
  }
  return frequencies;
}

}  // namespace cachalot
