// Radix selection: the key down to which the largest keys must be taken for their weights to reach
// a target. No sorting: eight passes at most over a list that lies in the second cache, each a
// histogram of one more byte of the keys that are still in question. Weights are whole numbers, so
// that their sums do not depend on the order in which threads add.
#pragma once

#include "cuda/device/reduce.h"

namespace cachalot::cuda {

using Key = unsigned long long;
using Weight64 = unsigned long long;

constexpr int kWeightBits = 39;  // of the largest weight, 1
constexpr int kPartBits = 13;    // of what one atomic adds: 2^18 tokens of 2^13 fit 32 bits
constexpr int kParts = kWeightBits / kPartBits;
constexpr int kCopies = 8;  // of the histogram: the lanes of a warp mostly meet in a few digits

/** Floats in their order, as whole numbers. */
SIMT_DEV uint32_t ordered_bits(float value) {
  const auto bits = static_cast<uint32_t>(simt::float_as_int(value));
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}
/** Larger logits first, smaller tokens first among equals. */
SIMT_DEV Key likelihood_key(float logit, int token) {
  return static_cast<Key>(ordered_bits(logit)) << 32 | ~static_cast<uint32_t>(token);
}

/** How many keys have each digit, and their weights in parts: 64-bit sums in shared memory would be
 * loops of compare and swap. */
struct Histogram {
  unsigned counts[256 * kCopies];
  unsigned parts[kParts][256 * kCopies];
};
struct DigitChoice {
  int digit;  // -1: no key is left
  unsigned count;
  Weight64 target;  // what is still wanted of the digit's keys
};

/** Shared memory of a selection. */
struct SelectMemory {
  Histogram histogram;
  DigitChoice choice;
};

template <bool ByWeight>
SIMT_DEV Weight64 weight_of_digit(const Histogram& histogram, int digit, unsigned& count) {
  Weight64 weight = 0;
  count = 0;
  for (int copy = 0; copy < kCopies; copy++) {
    count += histogram.counts[digit * kCopies + copy];
    if constexpr (ByWeight)
      for (int part = 0; part < kParts; part++)
        weight += static_cast<Weight64>(histogram.parts[part][digit * kCopies + copy])
                  << (part * kPartBits);
  }
  return ByWeight ? weight : count;
}

/** The digit with which weights from the largest down reach the target; by one warp, whose lanes
 * take eight digits each. */
template <bool ByWeight>
SIMT_DEV DigitChoice choose_digit(const Histogram& histogram, Weight64 target) {
  const int lane = threadIdx.x % 32, top = 255 - 8 * lane;
  unsigned count;
  Weight64 own = 0;
  for (int i = 0; i < 8; i++) own += weight_of_digit<ByWeight>(histogram, top - i, count);
  Weight64 upto = own;  // of this lane and those before it
  for (int step = 1; step < 32; step *= 2) {
    const Weight64 other = __shfl_up_sync(0xffffffffu, upto, step);
    if (lane >= step) upto += other;
  }
  // The first lane that reaches it; the last that has anything if none does.
  const unsigned reaches = __ballot_sync(0xffffffffu, own > 0 && upto >= target);
  const unsigned has = __ballot_sync(0xffffffffu, own > 0);
  const int chosen = reaches != 0 ? __ffs(reaches) - 1 : 31 - __clz(has);
  DigitChoice choice{-1, 0, 0};
  if (lane == chosen) {
    Weight64 left = target > upto - own ? target - (upto - own) : 0;
    for (int i = 0; i < 8; i++) {
      const Weight64 weight = weight_of_digit<ByWeight>(histogram, top - i, count);
      if (count == 0) continue;
      choice = {top - i, count, left < weight ? left : weight};
      if (weight >= left) break;
      left -= weight;
    }
  }
  const int source = has == 0 ? 0 : chosen;
  choice.digit = __shfl_sync(0xffffffffu, choice.digit, source);
  choice.count = __shfl_sync(0xffffffffu, choice.count, source);
  choice.target = __shfl_sync(0xffffffffu, choice.target, source);
  return choice;
}

/** `visit(token, take)` calls take(key, weight) if the token takes part; without ByWeight each
 * counts 1. Weights are 1 to 2^39. All threads of the block call. */
template <bool ByWeight, class Visit>
SIMT_DEV Key select_largest(SelectMemory& memory, int n, Weight64 target, const Visit& visit) {
  Histogram& histogram = memory.histogram;
  DigitChoice& choice = memory.choice;
  auto* words = reinterpret_cast<unsigned*>(&histogram);
  constexpr int kWords = (ByWeight ? 1 + kParts : 1) * 256 * kCopies;
  Key prefix = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    __syncthreads();
    for (int i = threadIdx.x; i < kWords; i += kReduceThreads) words[i] = 0;
    __syncthreads();
    for (int token = threadIdx.x; token < n; token += kReduceThreads) {
      visit(token, [&](Key key, Weight64 weight) {
        if (shift < 56 && key >> (shift + 8) != prefix) return;
        const int at = static_cast<int>(key >> shift & 255) * kCopies + threadIdx.x % kCopies;
        atomicAdd(&histogram.counts[at], 1u);
        if constexpr (ByWeight)
          for (int part = 0; part < kParts; part++)
            atomicAdd(&histogram.parts[part][at],
                      static_cast<unsigned>(weight >> (part * kPartBits)) &
                          (part + 1 < kParts ? (1u << kPartBits) - 1 : ~0u));
      });
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      const DigitChoice found = choose_digit<ByWeight>(histogram, target);
      if (threadIdx.x == 0) choice = found;
    }
    __syncthreads();
    if (choice.digit < 0) return 0;  // nothing takes part
    prefix = prefix << 8 | static_cast<Key>(choice.digit);
    target = choice.target;
    if (choice.count == 1) return prefix << shift;
  }
  return prefix;
}

}  // namespace cachalot::cuda
