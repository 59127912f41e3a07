// Gumbel noise keyed by (seed, completion, position, token): the same on every device. So a draw is
// a pure function of the logits and the key, whatever else is in the step.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace cachalot {

// -log(-log(u)) for u in [2^-33, 1 - 2^-33] lies in [-3.2, 22.9]: a token further than this below
// the largest logit (divided by the temperature) cannot win, and its noise need not be drawn.
constexpr float kNoiseRange = 26.2f;

/** SplitMix64's finalizer (Steele, Lea, Flood 2014). */
constexpr uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr uint64_t noise_key(uint64_t seed, uint32_t completion, int32_t position) {
  return mix(mix(mix(seed) ^ completion) ^ static_cast<uint64_t>(static_cast<uint32_t>(position)));
}

/** The bits that a token's noise is made from. */
constexpr uint32_t noise_bits(uint64_t key, int32_t token) {
  return static_cast<uint32_t>(mix(key ^ static_cast<uint64_t>(token)) >> 32);
}

/** The u in (0, 1), uniform, of which -log(-log(u)) makes noise. */
constexpr double noise_uniform(uint32_t bits) {
  return (static_cast<double>(bits) + 0.5) * 0x1p-32;
}

inline double gumbel(uint32_t bits) { return -std::log(-std::log(noise_uniform(bits))); }

/** At least gumbel(bits): -log(-log u) <= -log(1 - u), and 1 - u >= 2^-(leading ones + 1). */
constexpr double most_gumbel(uint32_t bits) {
  return 0.6931471805599454 * (std::countl_one(bits) + 1);
}

}  // namespace cachalot
