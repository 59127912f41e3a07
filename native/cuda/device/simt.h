// One source for two compilers: nvcc builds a kernel for the GPU; g++ builds it for the emulator
// (cuda/emu/), where tests run it. Here are nvcc's half of the names, as thin wrappers of PTX;
// fragment layouts are the PTX manual's.
//
// Rules for a kernel that builds both ways:
//   dynamic shared memory   SIMT_DYN_SMEM(unsigned char, smem);
//   static shared memory    SIMT_SHARED(Type, name);            (Type may be an array alias)
//   launch                  simt::launch(kernel<...>, grid, block, smem_bytes, stream, args...);
//   vector accesses         simt::ld16(ptr), simt::ld8(ptr), simt::st8(ptr, v)
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#ifndef __CUDACC__
#include "cuda/emu/simt.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define SIMT_DEV __device__ __forceinline__
#define SIMT_BOTH __host__ __device__ __forceinline__
#define SIMT_DYN_SMEM(T, name)                                      \
  extern __shared__ __align__(1024) unsigned char simt_dyn_smem_[]; \
  T* name = reinterpret_cast<T*>(simt_dyn_smem_)
#define SIMT_SHARED(T, name) __shared__ T name

namespace simt {
using bf16 = __nv_bfloat16;
using f16 = __half;
using stream_t = cudaStream_t;

template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t smem, stream_t stream, A... args) {
  if (smem > 47 * 1024) {
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(smem));
  }
  // clang-format off
  kernel<<<grid, block, smem, stream>>>(static_cast<P>(args)...);
  // clang-format on
}

SIMT_DEV float to_float(bf16 v) { return __bfloat162float(v); }
SIMT_DEV float to_float(f16 v) { return __half2float(v); }
template <class T>
SIMT_DEV T from_float(float v);
template <>
SIMT_DEV bf16 from_float<bf16>(float v) {
  return __float2bfloat16(v);
}
template <>
SIMT_DEV f16 from_float<f16>(float v) {
  return __float2half(v);
}
template <class T>
SIMT_DEV uint32_t pack2(float lo, float hi);
template <>
SIMT_DEV uint32_t pack2<bf16>(float lo, float hi) {
  __nv_bfloat162 v = __floats2bfloat162_rn(lo, hi);
  return reinterpret_cast<uint32_t&>(v);
}
template <>
SIMT_DEV uint32_t pack2<f16>(float lo, float hi) {
  __half2 v = __floats2half2_rn(lo, hi);
  return reinterpret_cast<uint32_t&>(v);
}
SIMT_DEV float ex2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
SIMT_DEV float lg2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
SIMT_DEV uint32_t smem_u32(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}
SIMT_DEV uint4 ld16(const void* p) { return *static_cast<const uint4*>(p); }
SIMT_DEV float2 ld8(const void* p) { return *static_cast<const float2*>(p); }
SIMT_DEV float2 ld8_l2(const void* p) { return __ldcg(static_cast<const float2*>(p)); }
SIMT_DEV void st8(void* p, float2 v) { *static_cast<float2*>(p) = v; }

// bytes = 0 zero-fills the 16 bytes at dst and reads nothing.
SIMT_DEV void cp_async_16(void* dst, const void* src, int bytes = 16) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem_u32(dst)), "l"(src),
               "r"(bytes)
               : "memory");
}
SIMT_DEV void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N>
SIMT_DEV void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

SIMT_DEV void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(smem_u32(row))
               : "memory");
}
SIMT_DEV void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(smem_u32(row))
               : "memory");
}
// d += a (16x16, row major) * b (16x8, column major), f32 accumulate
template <class T>
SIMT_DEV void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
template <>
SIMT_DEV void mma_m16n8k16<bf16>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
template <>
SIMT_DEV void mma_m16n8k16<f16>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// The same on bytes: d += a (16x32) * b (32x8), and a (16x16) * b (16x8); exact in int32.
SIMT_DEV void mma_s8_k32(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
SIMT_DEV void mma_s8_k16(int (&d)[4], uint32_t a0, uint32_t a1, uint32_t b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a0), "r"(a1), "r"(b));
}
SIMT_DEV float int_as_float(int v) { return __int_as_float(v); }
SIMT_DEV int float_as_int(float v) { return __float_as_int(v); }
/** Reads that others' writes of the same launch may precede. */
SIMT_DEV int ld_acquire(const int* p) {
  int v;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}
SIMT_DEV void bar_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
}  // namespace simt
#endif
