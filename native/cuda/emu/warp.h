// The operations of a whole warp. Included by emu/simt.h.
#pragma once

namespace simt {

// ---- ldmatrix: lanes 8i..8i+7 hold the row addresses of 8x8 matrix i; each lane receives one pair
// per matrix
struct LdmArgs {
  uint16_t row[8];
  uint32_t* out;
};
template <bool Trans>
void ldmatrix_exec(void* const* a, uint32_t) {
  for (int lane = 0; lane < 32; ++lane)
    for (int m = 0; m < 4; ++m) {
      auto el = [&](int r, int c) { return uint32_t(static_cast<LdmArgs*>(a[8 * m + r])->row[c]); };
      int g = lane >> 2, t = (lane & 3) * 2;
      static_cast<LdmArgs*>(a[lane])->out[m] =
          Trans ? el(t, g) | el(t + 1, g) << 16 : el(g, t) | el(g, t + 1) << 16;
    }
}
template <bool Trans>
inline void ldmatrix(uint32_t (&r)[4], const void* row, Site s) {
  LdmArgs args;
  matrix_row(args.row, row, s);
  args.out = r;
  warp_collective(~0u, ldmatrix_exec<Trans>, &args, s);
}
inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, SIMT_HERE) {
  ldmatrix<false>(r, row, SIMT_SITE);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, SIMT_HERE) {
  ldmatrix<true>(r, row, SIMT_SITE);
}

// ---- mma.sync.m16n8k16.row.col, layouts as in the PTX manual
struct MmaArgs {
  float* d;
  uint32_t a[4], b[2];
};
template <class T>
void mma_exec(void* const* p, uint32_t) {
  float A[16][16], B[16][8], C[16][8];
  auto el = [](uint32_t v, int i) { return to_float(T{uint16_t(i ? v >> 16 : v)}); };
  for (int lane = 0; lane < 32; ++lane) {
    auto& x = *static_cast<MmaArgs*>(p[lane]);
    int g = lane >> 2, t = (lane & 3) * 2;
    for (int i = 0; i < 2; ++i) {
      A[g][t + i] = el(x.a[0], i), A[g + 8][t + i] = el(x.a[1], i);
      A[g][t + 8 + i] = el(x.a[2], i), A[g + 8][t + 8 + i] = el(x.a[3], i);
      B[t + i][g] = el(x.b[0], i), B[t + 8 + i][g] = el(x.b[1], i);
      C[g][t + i] = x.d[i], C[g + 8][t + i] = x.d[2 + i];
    }
  }
  for (int m = 0; m < 16; ++m)
    for (int k = 0; k < 16; ++k)
      for (int n = 0; n < 8; ++n) C[m][n] += A[m][k] * B[k][n];
  for (int lane = 0; lane < 32; ++lane) {
    auto& x = *static_cast<MmaArgs*>(p[lane]);
    int g = lane >> 2, t = (lane & 3) * 2;
    for (int i = 0; i < 2; ++i) x.d[i] = C[g][t + i], x.d[2 + i] = C[g + 8][t + i];
  }
}
template <class T>
inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                         SIMT_HERE) {
  MmaArgs args{d, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  warp_collective(~0u, mma_exec<T>, &args, SIMT_SITE);
}

// ---- the same on bytes: k is 32 or 16
struct MmaBytesArgs {
  int* d;
  uint32_t a[4], b[2];
};
template <int K>
void mma_bytes_exec(void* const* p, uint32_t) {
  int A[16][K], B[K][8];
  auto el = [](uint32_t v, int i) { return int(int8_t(v >> (8 * i))); };
  for (int lane = 0; lane < 32; ++lane) {
    auto& x = *static_cast<MmaBytesArgs*>(p[lane]);
    int g = lane >> 2, t = (lane & 3) * 4;
    for (int i = 0; i < 4; ++i)
      for (int half = 0; half < K / 16; ++half) {
        A[g][16 * half + t + i] = el(x.a[2 * half], i),
                             A[g + 8][16 * half + t + i] = el(x.a[2 * half + 1], i);
        B[16 * half + t + i][g] = el(x.b[half], i);
      }
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto& x = *static_cast<MmaBytesArgs*>(p[lane]);
    int g = lane >> 2, t = (lane & 3) * 2;
    for (int i = 0; i < 4; ++i)
      for (int k = 0; k < K; ++k) x.d[i] += A[g + 8 * (i / 2)][k] * B[k][t + i % 2];
  }
}
inline void mma_s8_k32(int (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, SIMT_HERE) {
  MmaBytesArgs args{d, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  warp_collective(~0u, mma_bytes_exec<32>, &args, SIMT_SITE);
}
inline void mma_s8_k16(int (&d)[4], uint32_t a0, uint32_t a1, uint32_t b, SIMT_HERE) {
  MmaBytesArgs args{d, {a0, a1, 0, 0}, {b, 0}};
  warp_collective(~0u, mma_bytes_exec<16>, &args, SIMT_SITE);
}

// ---- shuffles and votes
template <class T>
struct ShflArgs {
  T v;
  T out;
  int src;
};
template <class T>
void shfl_exec(void* const* a, uint32_t mask) {
  for (int l = 0; l < 32; ++l)
    if (mask >> l & 1) {
      auto& x = *static_cast<ShflArgs<T>*>(a[l]);
      x.out = mask >> x.src & 1 ? static_cast<ShflArgs<T>*>(a[x.src])->v : x.v;
    }
}
template <class T>
inline T shfl(uint32_t mask, T v, int src, Site s) {
  ShflArgs<T> args{v, v, src};
  warp_collective(mask, shfl_exec<T>, &args, s);
  return args.out;
}
struct VoteArgs {
  bool p;
  uint32_t out;
};
void vote_exec(void* const* a, uint32_t mask);
inline uint32_t ballot(uint32_t mask, bool p, Site s) {
  VoteArgs args{p, 0};
  warp_collective(mask, vote_exec, &args, s);
  return args.out;
}
void sync_exec(void* const*, uint32_t);
}  // namespace simt
