// The optional checker of the emulator: data races in shared memory, bank conflicts and coalescing,
// by source line.
//
// How: kernels are compiled with -fsanitize=thread but libtsan is not linked; this file supplies
// the __tsan_* entry points, so the compiler reports every load and store of a kernel here.
// Happens-before is kept with vector clocks that only __syncthreads, bar.sync and __syncwarp
// advance (shuffles and mma do not order memory).
#include "cuda/emu/check.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/emu/control.h"

namespace simt {
namespace {
constexpr uint32_t kPending = 0xffffffffu;  // the clock of a cp.async that has not been waited for

struct Epoch {
  uint32_t clock = 0;
  uint16_t tid = 0;
  int loc = -1;
};
struct Cell {
  Epoch w, r[4];
};
struct Request {
  uint32_t mask = 0;
  uint64_t addr[32];
};
struct Traffic {
  bool shared = false, store = false;
  unsigned bytes = 0;
  uint64_t requests = 0, wavefronts = 0, ideal = 0;
};
struct Race {
  int a, b;
  const char* kind;
  uint64_t count;
  unsigned ta, tb, offset, block;
};

struct Checker final : CheckHooks {
  unsigned n = 0, block = 0, cur = 0;
  bool exec = false, inside = false;
  unsigned char* smem = nullptr;
  size_t dyn = 0, total = 0;
  std::vector<std::vector<uint32_t>> vc;
  std::vector<uint32_t> bar_in[16], bar_out[16];
  std::vector<Cell> cells;
  std::unordered_map<uint64_t, int> loc_of;
  std::vector<std::pair<uint64_t, Site>> locs;  // pc, or a source line
  struct PerWarp {
    std::vector<Request> q;
    uint32_t at[32] = {};
  };
  std::vector<std::unordered_map<uint64_t, PerWarp>> warps;
  std::map<std::pair<int, int>, Traffic> traffic;  // (loc, kind)
  std::map<std::pair<int, int>, Race> races;

  int loc(uint64_t pc) {
    auto [it, fresh] = loc_of.try_emplace(pc, int(locs.size()));
    if (fresh) locs.push_back({pc, {}});
    return it->second;
  }
  int loc(Site s) {
    auto [it, fresh] = loc_of.try_emplace(
        reinterpret_cast<uint64_t>(s.file) * 131071 + unsigned(s.line), int(locs.size()));
    if (fresh) locs.push_back({0, s});
    return it->second;
  }

  void on_block_begin(unsigned char* m, size_t d, size_t s, unsigned threads, unsigned b,
                      char*) override {
    smem = m, dyn = d, total = d + s, n = threads, block = b;
    vc.assign(n, std::vector<uint32_t>(n, 0));
    for (unsigned i = 0; i < n; ++i) vc[i][i] = 1;
    for (int i = 0; i < 16; ++i) bar_in[i].assign(n, 0), bar_out[i].assign(n, 0);
    cells.assign(total, Cell{});
    warps.assign((n + 31) / 32, {});
    inside = true;
  }
  void on_block_end() override {
    inside = false;
    for (auto& w : warps)
      for (auto& [key, pw] : w)
        for (auto& r : pw.q) count(int(key >> 3), int(key & 7), r);
    warps.clear();
  }
  void on_switch(unsigned t) override { cur = t; }
  void on_exec(bool begins) override { exec = begins; }
  static void join(std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] = std::max(a[i], b[i]);
  }
  void on_warp_sync(unsigned w, uint32_t mask) override {
    std::vector<uint32_t> all(n, 0);
    for (unsigned l = 0; l < 32; ++l)
      if (mask >> l & 1) join(all, vc[w * 32 + l]);
    for (unsigned l = 0; l < 32; ++l)
      if (mask >> l & 1) vc[w * 32 + l] = all, vc[w * 32 + l][w * 32 + l]++;
  }
  void on_barrier_arrive(int id, unsigned t) override { join(bar_in[id], vc[t]), vc[t][t]++; }
  void on_barrier_release(int id) override {
    bar_out[id].swap(bar_in[id]), bar_in[id].assign(n, 0);
  }
  void on_barrier_leave(int id, unsigned t) override { join(vc[t], bar_out[id]); }

  void race(int a, unsigned ta, int b, unsigned tb, unsigned offset, const char* kind) {
    auto [it, fresh] = races.try_emplace({a, b}, Race{a, b, kind, 0, ta, tb, offset, block});
    it->second.count++;
  }
  bool before(const Epoch& e) const {
    return e.clock != kPending && (e.tid == cur || vc[cur][e.tid] >= e.clock);
  }

  void touch(const void* p, unsigned bytes, bool write, int where, bool pending = false) {
    size_t off = size_t(static_cast<const unsigned char*>(p) - smem);
    for (unsigned i = 0; i < bytes && off + i < total; ++i) {
      Cell& c = cells[off + i];
      bool own_landing =
          write && !pending && c.w.clock == kPending && c.w.tid == cur && c.w.loc == where;
      if (c.w.clock && !before(c.w) && !own_landing)
        race(c.w.loc, c.w.tid, where, cur, unsigned(off),
             write ? "write after write" : "read after write");
      if (write) {
        for (auto& r : c.r)
          if (r.clock && !before(r))
            race(r.loc, r.tid, where, cur, unsigned(off), "write after read");
        c.w = {pending ? kPending : vc[cur][cur], uint16_t(cur), where};
        for (auto& r : c.r) r = {};
      } else {
        Epoch* slot = &c.r[(off + cur) & 3];
        for (auto& r : c.r)
          if (!r.clock || r.tid == cur || before(r)) {
            slot = &r;
            break;
          }
        *slot = {vc[cur][cur], uint16_t(cur), where};
      }
    }
  }
  bool is_smem(const void* p) const {
    return size_t(static_cast<const unsigned char*>(p) - smem) < total;
  }

  void on_copy(const void* dst, bool lands, Site s) override {
    touch(dst, 16, true, loc(s), !lands);
  }
  void on_access(const void* p, unsigned bytes, bool store, Site s) override {
    if (is_smem(p)) touch(p, bytes, store, loc(s));
  }
  void on_request(const void* a, unsigned bytes, bool store, Site s) override {
    if (bytes) note(a, bytes, store, loc(s));
  }

  void note(const void* a, unsigned bytes, bool store, int where) {
    bool shared = is_smem(a);
    auto& t = traffic[{where, shared * 2 + store}];
    t.shared = shared, t.store = store, t.bytes = bytes;
    PerWarp& pw = warps[cur / 32][uint64_t(where) << 3 | uint64_t(shared * 2 + store)];
    unsigned lane = cur % 32, k = pw.at[lane]++;
    if (k >= pw.q.size()) pw.q.resize(k + 1);
    pw.q[k].mask |= 1u << lane;
    pw.q[k].addr[lane] = reinterpret_cast<uint64_t>(a);
  }
  void count(int where, int kind, const Request& r) {
    Traffic& t = traffic[{where, kind}];
    t.requests++;
    if (t.shared) {  // 32 banks of 4 bytes; 8-byte accesses go by half warps, 16-byte ones by
                     // quarters
      unsigned per = t.bytes <= 4 ? 32 : t.bytes == 8 ? 16 : 8;
      for (unsigned l0 = 0; l0 < 32; l0 += per) {
        std::vector<uint64_t> bank[32];
        unsigned worst = 0;
        for (unsigned l = l0; l < l0 + per; ++l)
          if (r.mask >> l & 1)
            for (uint64_t w = (r.addr[l] - uint64_t(smem)) / 4;
                 w <= (r.addr[l] - uint64_t(smem) + t.bytes - 1) / 4; ++w) {
              auto& b = bank[w % 32];
              if (std::find(b.begin(), b.end(), w) == b.end()) b.push_back(w);
              worst = std::max(worst, unsigned(b.size()));
            }
        t.wavefronts += worst, t.ideal += worst != 0;
      }
    } else {  // 32-byte sectors
      std::vector<uint64_t> sec;
      uint64_t bytes = 0;
      for (unsigned l = 0; l < 32; ++l)
        if (r.mask >> l & 1) {
          bytes += t.bytes;
          for (uint64_t x = r.addr[l] / 32; x <= (r.addr[l] + t.bytes - 1) / 32; ++x)
            if (std::find(sec.begin(), sec.end(), x) == sec.end()) sec.push_back(x);
        }
      t.wavefronts += sec.size(), t.ideal += std::min<uint64_t>(sec.size(), (bytes + 31) / 32);
    }
  }

  void access(const void* p, unsigned bytes, bool write, uint64_t pc) {
    if (!inside || exec || !ids) return;
    auto gap = reinterpret_cast<uint64_t>(p) -
               (reinterpret_cast<uint64_t>(__builtin_frame_address(0)) - 8192);
    if (gap < 128 * 1024) return;  // the thread's own stack: registers and local memory on the GPU
    if (p == &ids ||
        size_t(static_cast<const char*>(p) - reinterpret_cast<const char*>(ids)) < sizeof(Ids))
      return;  // threadIdx
    int where = loc(pc);
    note(p, bytes, write, where);
    if (is_smem(p)) touch(p, bytes, write, where);
  }
};
Checker checker;

/** The kernel's line, not that of the emulator's function that it called. */
std::string line_of(uint64_t pc) {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(pc), &info) == 0) return "?";
  char cmd[1024], buf[512];
  std::snprintf(cmd, sizeof cmd, "addr2line -s -i -e '%s' 0x%llx", info.dli_fname,
                (unsigned long long)(pc - 1 - reinterpret_cast<uint64_t>(info.dli_fbase)));
  std::string best;
  if (FILE* f = popen(cmd, "r")) {
    while (std::fgets(buf, sizeof buf, f)) {
      std::string s(buf);
      s = s.substr(0, s.find_first_of(" \n"));
      if (best.empty()) best = s;
      if (s.rfind("simt.h", 0) != 0 && s.rfind("warp.h", 0) != 0 &&
          s.rfind("intrinsics.h", 0) != 0) {
        best = s;
        break;
      }
    }
    pclose(f);
  }
  return best;
}
std::string name(int l) {
  auto& [pc, s] = checker.locs[l];
  if (pc) return line_of(pc);
  std::string f = s.file;
  return f.substr(f.rfind('/') + 1) + ":" + std::to_string(s.line);
}

/** Each line is looked up once, because addr2line takes a while. */
const std::string& line_name(int l) {
  static std::map<int, std::string> known;
  auto [it, fresh] = known.try_emplace(l);
  if (fresh) it->second = name(l);
  return it->second;
}
std::string report_text;

/** "race KIND LINE LINE COUNT" and "traffic shared|global load|store LINE BYTES REQUESTS WAVEFRONTS
 * IDEAL" */
void write_report(std::ostream& out) {
  for (auto& [k, r] : checker.races)
    out << "race " << r.kind << " " << line_name(r.a) << " " << line_name(r.b) << " " << r.count
        << "\n";
  std::map<std::pair<std::string, int>, Traffic> by_line;
  for (auto& [k, t] : checker.traffic) {
    const std::string& line = line_name(k.first);
    if (line.rfind("std_function.h", 0) == 0 || line.rfind("invoke.h", 0) == 0)
      continue;  // the launch itself
    auto& x = by_line[{line, k.second}];
    x.shared = t.shared, x.store = t.store, x.bytes = t.bytes;
    x.requests += t.requests, x.wavefronts += t.wavefronts, x.ideal += t.ideal;
  }
  for (auto& [k, t] : by_line)
    out << "traffic " << (t.shared ? "shared " : "global ") << (t.store ? "store " : "load ")
        << k.first << " " << t.bytes << " " << t.requests << " " << t.wavefronts << " " << t.ideal
        << "\n";
}
}  // namespace
}  // namespace simt

void emulator_start_check() {
  simt::checker.races.clear();
  simt::checker.traffic.clear();
  simt::check_hooks = &simt::checker;
}
const char* emulator_report() {
  std::ostringstream out;
  simt::write_report(out);
  simt::report_text = out.str();
  return simt::report_text.c_str();
}

#define PC reinterpret_cast<uint64_t>(__builtin_return_address(0))
extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
#define RW(N)                                                                       \
  void __tsan_read##N(void* p) { simt::checker.access(p, N, false, PC); }           \
  void __tsan_write##N(void* p) { simt::checker.access(p, N, true, PC); }           \
  void __tsan_unaligned_read##N(void* p) { simt::checker.access(p, N, false, PC); } \
  void __tsan_unaligned_write##N(void* p) { simt::checker.access(p, N, true, PC); }
RW(1) RW(2) RW(4) RW(8) RW(16) void __tsan_read_range(void* p, size_t n) {
  simt::checker.access(p, unsigned(n), false, PC);
}
void __tsan_write_range(void* p, size_t n) { simt::checker.access(p, unsigned(n), true, PC); }
}
