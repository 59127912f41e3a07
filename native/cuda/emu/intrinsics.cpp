// The operations of one thread by itself, and the votes of a warp.

#include "cuda/emu/simt.h"

namespace simt {

void vote_exec(void* const* a, uint32_t mask) {
  uint32_t r = 0;
  for (int l = 0; l < 32; ++l)
    if (mask >> l & 1) r |= uint32_t(static_cast<VoteArgs*>(a[l])->p) << l;
  for (int l = 0; l < 32; ++l)
    if (mask >> l & 1) static_cast<VoteArgs*>(a[l])->out = r;
}
void sync_exec(void* const*, uint32_t) {}

float f16_to_float(uint16_t h) {
  uint32_t s = uint32_t(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
  if (e == 31) return bits_to_float(s | 0x7f800000u | m << 13);
  if (e) return bits_to_float(s | (e + 112) << 23 | m << 13);
  float v = float(m) * 0x1p-24f;
  return s ? -v : v;
}
uint16_t float_to_f16(float f) {
  uint32_t u = float_to_bits(f), s = u >> 16 & 0x8000, a = u & 0x7fffffff;
  if (a >= 0x7f800000) return uint16_t(s | 0x7c00 | (a > 0x7f800000 ? 0x200 : 0));
  if (a >= 0x477ff000) return uint16_t(s | 0x7c00);
  if (a < 0x38800000) return uint16_t(s | uint32_t(std::nearbyint(bits_to_float(a) * 0x1p24f)));
  uint32_t m = a - 0x38000000;
  return uint16_t(s | ((m + 0xfff + (m >> 13 & 1)) >> 13));
}

}  // namespace simt

void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
int simt::ld_acquire(const int* p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
int atomicAdd(int* p, int v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }
unsigned atomicAdd(unsigned* p, unsigned v) { return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL); }
unsigned long long atomicAdd(unsigned long long* p, unsigned long long v) {
  return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL);
}
