// Independent chains of one operation, all in registers: as fast as a core does it.
#pragma once

#include <stdint.h>

namespace cachalot::cpu {

constexpr int kSpinChains = 12;  // more than latency times units, fewer than registers

/** Runs `op` on each of 12 accumulators `rounds` times; `keep` tells the compiler that a value is
 * needed. Variables with names: an array would go through memory. */
template <typename Vector, typename Op, typename Keep>
static inline void spin(Vector start, int64_t rounds, Op op, Keep keep) {
  Vector a = start, b = start, c = start, d = start, e = start, f = start;
  Vector g = start, h = start, i = start, j = start, k = start, l = start;
  for (int64_t round = 0; round < rounds; round++) {
    keep(a), keep(b), keep(c), keep(d), keep(e), keep(f);
    keep(g), keep(h), keep(i), keep(j), keep(k), keep(l);
    a = op(a), b = op(b), c = op(c), d = op(d), e = op(e), f = op(f);
    g = op(g), h = op(h), i = op(i), j = op(j), k = op(k), l = op(l);
  }
  keep(a), keep(b), keep(c), keep(d), keep(e), keep(f);
  keep(g), keep(h), keep(i), keep(j), keep(k), keep(l);
}

/** Operations in `rounds` rounds, on vectors of `per_vector` multiplications and additions. */
static inline double spin_operations(int64_t rounds, int per_vector) {
  return static_cast<double>(rounds) * kSpinChains * per_vector;
}

}  // namespace cachalot::cpu
