// The emulator's half of cuda/device/simt.h: a fiber per CUDA thread, barriers that yield, and warp
// collectives (shuffles, ldmatrix, mma.sync) carried out when the last lane of a warp arrives, with
// the fragment layouts of the PTX manual.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __grid_constant__
#define SIMT_DEV inline
#define SIMT_BOTH inline
#define SIMT_DYN_SMEM(T, name) T* name = reinterpret_cast<T*>(::simt::dyn_smem())
#define SIMT_SHARED(T, name)  \
  struct simt_tag_##name {};  \
  T& name = *static_cast<T*>( \
      ::simt::static_smem(&::simt::tag_of<simt_tag_##name>, sizeof(T), alignof(T)))

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};

namespace simt {
using stream_t = void*;
struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

// ---- what the tests may turn
enum class Order { Forward, Reverse, Random };  // in which order threads that may run do run
enum class Copies {
  Late,
  Early,
  Random
};  // when a cp.async lands: at the wait, at the issue, or either
struct Options {
  Order order = Order::Forward;
  Copies copies = Copies::Late;
  uint64_t seed = 1;
  size_t stack_bytes = 64 << 10;
  unsigned os_threads = 1;  // blocks run in parallel on this many OS threads
  bool poison = true;       // shared memory starts as NaNs, not zeros
};
extern Options options;

// ---- per-thread state, reached through threadIdx & co.
struct Ids {
  uint3 tid, bid;
  dim3 bdim, gdim;
  unsigned lane, warp, linear;
};
extern thread_local Ids* ids;
void* dyn_smem();
void* static_smem(const void* tag, size_t bytes, size_t align);
template <class T>
constexpr char tag_of = 0;

struct Site {
  const char* file;
  int line;
};
// the caller's line, taken by default arguments
#define SIMT_HERE const char *file_ = __builtin_FILE(), int line_ = __builtin_LINE()
#define SIMT_SITE \
  ::simt::Site { file_, line_ }

using WarpFn = void (*)(void* const* lane_args, uint32_t mask);
// Waits until every lane of mask has called with the same fn from the same line; the last one runs
// fn for all.
void warp_collective(uint32_t mask, WarpFn fn, void* arg, Site site, bool orders_memory = false);
void block_barrier(int id, int threads, Site site,
                   bool wait = true);  // threads = 0: the whole block
void cp_async_issue(void* dst, const void* src, int bytes, Site site);
void cp_async_commit();
void cp_async_wait_groups(int allowed);
/** Runs at once, or joins the graph that is being captured on the stream. */
void enqueue(stream_t stream, std::function<void()> work);
void launch_impl(dim3 grid, dim3 block, size_t smem, const std::function<void()>& body);
void matrix_row(uint16_t (&to)[8], const void* row, Site site);

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t smem, stream_t stream, A... args) {
  enqueue(stream,
          [=] { launch_impl(grid, block, smem, [=] { kernel(static_cast<P>(args)...); }); });
}

// ---- conversions
inline float bits_to_float(uint32_t u) {
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}
inline uint32_t float_to_bits(float f) {
  uint32_t u;
  std::memcpy(&u, &f, 4);
  return u;
}
inline float to_float(bf16 v) { return bits_to_float(uint32_t(v.bits) << 16); }
float f16_to_float(uint16_t h);
uint16_t float_to_f16(float f);
inline float to_float(f16 v) { return f16_to_float(v.bits); }
template <class T>
inline T from_float(float v);
template <>
inline bf16 from_float<bf16>(float v) {
  uint32_t u = float_to_bits(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {uint16_t((u >> 16) | 0x40)};
  return {uint16_t((u + 0x7fffu + ((u >> 16) & 1)) >> 16)};
}
template <>
inline f16 from_float<f16>(float v) {
  return {float_to_f16(v)};
}
template <class T>
inline uint32_t pack2(float lo, float hi) {
  return uint32_t(from_float<T>(lo).bits) | uint32_t(from_float<T>(hi).bits) << 16;
}
inline float ex2(float x) { return std::exp2(x); }
inline float lg2(float x) { return std::log2(x); }
// One access each, also for the checker: the compiler would take a vector apart.
uint4 load16(const void* p, Site site);
float2 load8(const void* p, Site site);
void store8(void* p, float2 v, Site site);
inline uint4 ld16(const void* p, SIMT_HERE) { return load16(p, SIMT_SITE); }
inline float2 ld8(const void* p, SIMT_HERE) { return load8(p, SIMT_SITE); }
/** Reads past the first-level cache, which may hold old bytes. */
inline float2 ld8_l2(const void* p, SIMT_HERE) { return load8(p, SIMT_SITE); }
inline void st8(void* p, float2 v, SIMT_HERE) { store8(p, v, SIMT_SITE); }
inline void cp_async_16(void* dst, const void* src, int bytes = 16, SIMT_HERE) {
  cp_async_issue(dst, src, bytes, SIMT_SITE);
}
template <int N>
inline void cp_async_wait() {
  cp_async_wait_groups(N);
}
inline void bar_sync(int id, int threads, SIMT_HERE) { block_barrier(id, threads, SIMT_SITE); }

}  // namespace simt

#include "cuda/emu/intrinsics.h"
