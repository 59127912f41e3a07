// Asynchronous copies, which land as late or as early as the options say, and accesses of a warp's
// matrices and of vectors.

#include <algorithm>
#include <cstring>

#include "cuda/emu/block.h"

namespace simt {

namespace {

void land(const Copy& c) {
  if (check_hooks) check_hooks->on_copy(c.dst, true, c.site);
  if (c.bytes) std::memcpy(c.dst, c.src, c.bytes);
  std::memset(static_cast<char*>(c.dst) + c.bytes, 0, 16 - c.bytes);
}

}  // namespace

void cp_async_issue(void* dst, const void* src, int bytes, Site site) {
  Fiber* f = blk->cur;
  if (reinterpret_cast<uintptr_t>(dst) % 16 || (bytes && reinterpret_cast<uintptr_t>(src) % 16))
    fail(str(site) + ": cp.async wants 16-byte alignment");
  if (bytes != 0 && bytes != 16) fail(str(site) + ": cp.async takes 0 or 16 bytes here");
  Copy c{dst, src, bytes, site};
  if (check_hooks)
    check_hooks->on_request(src, bytes, false, site), check_hooks->on_request(dst, 16, true, site),
        check_hooks->on_copy(dst, false, site);
  if (options.copies == Copies::Early ||
      (options.copies == Copies::Random && (next_random() & 1))) {
    land(c);
    c.bytes = -1;
  } else if (options.poison) {
    std::memset(dst, 0xff, 16);  // until the copy lands, the bytes there are undefined
  }
  if (f->groups.empty()) f->groups.emplace_back();
  f->groups.back().push_back(c);
}
void cp_async_commit() {
  Fiber* f = blk->cur;
  if (f->groups.empty()) f->groups.emplace_back();
  f->groups.emplace_back();
}
void cp_async_wait_groups(int allowed) {
  Fiber* f = blk->cur;
  int closed = int(f->groups.size()) - 1;
  int n = std::max(0, closed - allowed);
  for (int i = 0; i < n; ++i)
    for (auto& c : f->groups[i])
      if (c.bytes >= 0) land(c);
  f->groups.erase(f->groups.begin(), f->groups.begin() + n);
}

void matrix_row(uint16_t (&to)[8], const void* row, Site site) {
  if (reinterpret_cast<uintptr_t>(row) % 16) fail(str(site) + ": ldmatrix wants 16-byte alignment");
  if (check_hooks)
    check_hooks->on_request(row, 16, false, site), check_hooks->on_access(row, 16, false, site);
  std::memcpy(to, row, 16);
}

namespace {
template <class T>
T load_vector(const void* p, Site site) {
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T))
    fail(str(site) + ": a vector access wants its own alignment");
  if (check_hooks)
    check_hooks->on_request(p, sizeof(T), false, site),
        check_hooks->on_access(p, sizeof(T), false, site);
  return *static_cast<const T*>(p);
}
}  // namespace
uint4 load16(const void* p, Site site) { return load_vector<uint4>(p, site); }
float2 load8(const void* p, Site site) { return load_vector<float2>(p, site); }
void store8(void* p, float2 v, Site site) {
  if (reinterpret_cast<uintptr_t>(p) % sizeof v)
    fail(str(site) + ": a vector access wants its own alignment");
  if (check_hooks)
    check_hooks->on_request(p, sizeof v, true, site),
        check_hooks->on_access(p, sizeof v, true, site);
  *static_cast<float2*>(p) = v;
}

}  // namespace simt
