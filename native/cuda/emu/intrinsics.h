// CUDA's built-in names, one thread at a time. Included by emu/simt.h.
#pragma once

#include "cuda/emu/warp.h"

#define threadIdx (::simt::ids->tid)
#define blockIdx (::simt::ids->bid)
#define blockDim (::simt::ids->bdim)
#define gridDim (::simt::ids->gdim)
constexpr int warpSize = 32;
inline void __syncthreads(SIMT_HERE) { ::simt::block_barrier(0, 0, SIMT_SITE); }
inline void __syncwarp(uint32_t mask = ~0u, SIMT_HERE) {
  ::simt::warp_collective(mask, ::simt::sync_exec, nullptr, SIMT_SITE, true);
}
template <class T>
inline T __shfl_sync(uint32_t m, T v, int src, int width = 32, SIMT_HERE) {
  int l = ::simt::ids->lane;
  return ::simt::shfl(m, v, (l & ~(width - 1)) | (src & (width - 1)), SIMT_SITE);
}
template <class T>
inline T __shfl_xor_sync(uint32_t m, T v, int x, int width = 32, SIMT_HERE) {
  int l = ::simt::ids->lane, s = l ^ x;
  return ::simt::shfl(m, v, (s & ~(width - 1)) == (l & ~(width - 1)) ? s : l, SIMT_SITE);
}
template <class T>
inline T __shfl_down_sync(uint32_t m, T v, int d, int width = 32, SIMT_HERE) {
  int l = ::simt::ids->lane;
  return ::simt::shfl(m, v, (l & (width - 1)) + d < width ? l + d : l, SIMT_SITE);
}
template <class T>
inline T __shfl_up_sync(uint32_t m, T v, int d, int width = 32, SIMT_HERE) {
  int l = ::simt::ids->lane;
  return ::simt::shfl(m, v, (l & (width - 1)) >= d ? l - d : l, SIMT_SITE);
}
inline uint32_t __ballot_sync(uint32_t m, bool p, SIMT_HERE) {
  return ::simt::ballot(m, p, SIMT_SITE);
}
inline bool __any_sync(uint32_t m, bool p, SIMT_HERE) {
  return ::simt::ballot(m, p, SIMT_SITE) != 0;
}
inline bool __all_sync(uint32_t m, bool p, SIMT_HERE) {
  return ::simt::ballot(m, p, SIMT_SITE) == m;
}
inline int __popc(uint32_t v) { return __builtin_popcount(v); }
inline int __ffs(uint32_t v) { return __builtin_ffs(int(v)); }
template <class T>
inline T __ldg(const T* p) {
  return *p;
}
int atomicAdd(int* p, int v);
unsigned atomicAdd(unsigned* p, unsigned v);
unsigned long long atomicAdd(unsigned long long* p, unsigned long long v);
void __threadfence();
inline void __nanosleep(unsigned) {}
inline int __clz(uint32_t v) { return v == 0 ? 32 : __builtin_clz(v); }
inline float __fdividef(float a, float b) { return a / b; }
using std::max;
using std::min;

namespace simt {
inline float int_as_float(int v) { return bits_to_float(uint32_t(v)); }
inline int float_as_int(float v) { return int(float_to_bits(v)); }
int ld_acquire(const int* p);
}  // namespace simt
