// Frequencies of rotary positions (RoFormer, Su et al. 2021) and the ways to stretch them over
// longer contexts than a model was trained for.
#pragma once

#include <vector>

namespace cachalot {

enum class RopeScaling {
  kNone,
  kLinear,    // position interpolation (Chen et al. 2023)
  kLlama3,    // long wavelengths are stretched, short ones kept (Llama 3.1)
  kYarn,      // YaRN (Peng et al. 2023): the same by dimension, and sharper attention
  kLongRope,  // LongRoPE (Ding et al. 2024): tables for short and for long contexts
};

struct RopeConfig {
  float base = 10000.0f;
  int dims = 0;              // how many of a head's D dims are rotated: the first
  bool interleaved = false;  // pairs are (2i, 2i+1); else (i, i + dims / 2)
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1.0f;       // by which contexts grow
  int original_context = 0;  // llama3, yarn: the length that the model was trained for
  float low_frequency_factor = 1.0f, high_frequency_factor = 4.0f;  // llama3
  float beta_fast = 32.0f, beta_slow = 1.0f;                        // yarn
  float attention_factor = 1.0f;  // of cosines and sines; yarn: 0.1 ln(factor) + 1 unless given
  std::vector<float> divisors;    // [dims / 2] of the frequencies, or empty: GGUF's rope_freqs
  // longrope: [dims / 2] each. One of them becomes `divisors` when the model is loaded.
  std::vector<float> short_divisors, long_divisors;
};

/** Angle per position of each pair of dims, [dims / 2]. */
std::vector<double> rope_frequencies(const RopeConfig& rope);

}  // namespace cachalot
