// The scheduler behind emu/simt.h: fibers, barriers, warp collectives, asynchronous copies.
#include <sys/mman.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cuda/emu/simt.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "cuda/emu/block.h"

extern "C" void simt_switch(void** save_sp, void* load_sp);

namespace simt {
Options options;
thread_local Ids* ids = nullptr;
CheckHooks* check_hooks = nullptr;

thread_local Block* blk = nullptr;

uint64_t next_random() {  // splitmix64
  uint64_t z = (blk->rng += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::string str(Site s) {
  const char* base = s.file ? s.file : "?";
  for (const char* p = base; *p; ++p)
    if (*p == '/') base = p + 1;
  return std::string(base) + ":" + std::to_string(s.line);
}

static void to_scheduler() {
  Fiber* f = blk->cur;
  simt_switch(&f->sp, blk->sched_sp);
}

[[noreturn]] void fail(const std::string& what) {
  Fiber* f = blk->cur;
  auto& t = f->id;
  blk->error = what + " [block " + std::to_string(t.bid.x) + "," + std::to_string(t.bid.y) + "," +
               std::to_string(t.bid.z) + " thread " + std::to_string(t.linear) + "]";
  to_scheduler();
  std::abort();
}

namespace {
void pick(Fiber* f) {
  blk->cur = f;
  ids = &f->id;
  if (check_hooks) check_hooks->on_switch(f->id.linear);
}

Fiber* pop_ready() {
  auto& r = blk->ready;
  if (blk->head == r.size()) return nullptr;
  if (options.order == Order::Random)
    std::swap(r[blk->head], r[blk->head + next_random() % (r.size() - blk->head)]);
  Fiber* f = r[blk->head++];
  if (blk->head == r.size()) r.clear(), blk->head = 0;
  return f;
}

void make_ready(std::vector<Fiber*>& fs) {
  if (options.order == Order::Reverse) std::reverse(fs.begin(), fs.end());
  for (Fiber* f : fs) f->state = State::Ready, blk->ready.push_back(f);
}

void wait_here(Site site) {
  Fiber* f = blk->cur;
  f->state = State::Waiting;
  f->where = site;
  Fiber* n = pop_ready();
  if (!n) return to_scheduler();
  if (n == f) {
    f->state = State::Ready;
    return;
  }
  pick(n);
  simt_switch(&f->sp, n->sp);
}

extern "C" void simt_fiber_main() {
  (*blk->body)();
  Fiber* f = blk->cur;
  f->state = State::Done;
  blk->done++;
  for (auto& g : f->groups)
    if (!g.empty())
      fail("a thread ended with a cp.async it never waited for, issued at " + str(g[0].site));
  to_scheduler();
  std::abort();
}

char* new_stack(size_t bytes) {  // with a guard page below it
  void* p = mmap(nullptr, bytes + 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::runtime_error("simt: no memory for fiber stacks");
  mprotect(p, 4096, PROT_NONE);
  return static_cast<char*>(p);
}

}  // namespace

void* dyn_smem() { return blk->smem; }

void* static_smem(const void* tag, size_t bytes, size_t align) {
  for (auto& s : blk->statics)
    if (s.first == tag) return blk->smem + blk->smem_dyn + kGuard + s.second;
  size_t at = (blk->static_used + align - 1) & ~(align - 1);
  if (at + bytes > kStaticBytes) fail("more than 48 KiB of static shared memory");
  blk->static_used = at + bytes;
  blk->statics.emplace_back(tag, at);
  return blk->smem + blk->smem_dyn + kGuard + at;
}

void warp_collective(uint32_t mask, WarpFn fn, void* arg, Site site, bool orders_memory) {
  Fiber* f = blk->cur;
  unsigned lane = f->id.lane;
  if (!(mask >> lane & 1))
    fail(str(site) + ": a lane calls a warp operation whose mask leaves it out");
  auto& groups = blk->warps[f->id.warp];
  Collective* g = nullptr;
  for (auto& c : groups)
    if (c.arrived && (c.mask & mask)) g = &c;
  if (!g)
    for (auto& c : groups)
      if (!c.arrived) g = &c;
  if (!g) g = &groups.emplace_back();
  if (!g->arrived) {
    g->mask = mask, g->fn = fn, g->site = site;
  } else if (g->mask != mask || g->fn != fn || g->site.line != site.line) {
    fail("the warp diverged: one lane is at " + str(site) + ", another waits at " + str(g->site));
  }
  g->args[lane] = arg;
  g->arrived |= 1u << lane;
  if (g->arrived != mask) return wait_here(site);
  if (check_hooks) check_hooks->on_exec(true);
  fn(g->args, mask);
  if (check_hooks) check_hooks->on_exec(false);
  g->arrived = 0;
  if (orders_memory && check_hooks) check_hooks->on_warp_sync(f->id.warp, mask);
  std::vector<Fiber*> wake;
  for (unsigned l = 0; l < 32; ++l)
    if ((mask >> l & 1) && l != lane) wake.push_back(&blk->fibers[f->id.warp * 32 + l]);
  make_ready(wake);
  if (options.order != Order::Forward) {  // the last to arrive need not go on first
    std::vector<Fiber*> me{f};
    make_ready(me);
    wait_here(site);
  }
}

void block_barrier(int id, int threads, Site site, bool wait) {
  Fiber* f = blk->cur;
  Barrier& b = blk->bars[id];
  unsigned expected = threads ? unsigned(threads) : unsigned(blk->fibers.size());
  if (b.arrived == 0) b.expected = expected, b.site = site;
  else if (b.expected != expected || (!threads && b.site.line != site.line))
    fail("barrier mismatch: one thread is at " + str(site) + ", another waits at " + str(b.site));
  b.arrived++;
  if (check_hooks) check_hooks->on_barrier_arrive(id, f->id.linear);
  if (b.arrived < b.expected) {
    if (!wait) return;
    b.waiting.push_back(f);
    wait_here(site);
    if (check_hooks) check_hooks->on_barrier_leave(id, f->id.linear);
    return;
  }
  b.arrived = 0;
  auto wake = std::move(b.waiting);
  b.waiting.clear();
  if (check_hooks) check_hooks->on_barrier_release(id);
  if (wait) wake.push_back(f);
  make_ready(wake);
  if (wait) {
    wait_here(site);
    if (check_hooks) check_hooks->on_barrier_leave(id, f->id.linear);
  }
}

namespace {
/** Stacks and shared memory of one OS thread, kept from launch to launch. */
struct Workplace {
  Block block;
  std::vector<char*> stacks;
  size_t smem_bytes = 0;

  void prepare(unsigned n, size_t smem) {
    while (stacks.size() < n) stacks.push_back(new_stack(options.stack_bytes));
    block.fibers.resize(n);
    for (unsigned i = 0; i < n; ++i) block.fibers[i].stack = stacks[i];
    block.smem_dyn = smem;
    const size_t bytes = (smem + kGuard + kStaticBytes + 1023) & ~size_t(1023);
    if (bytes <= smem_bytes) return;
    std::free(block.smem);
    block.smem = static_cast<unsigned char*>(std::aligned_alloc(1024, bytes));
    smem_bytes = bytes;
  }
  ~Workplace() {
    for (char* stack : stacks) {
#if defined(__SANITIZE_ADDRESS__)
      // Memory that is mapped here next has no frames of fibers.
      __asan_unpoison_memory_region(stack, options.stack_bytes + 4096);
#endif
      munmap(stack, options.stack_bytes + 4096);
    }
    std::free(block.smem);
  }
};

void run_block(Block& b, dim3 grid, dim3 block, size_t smem, unsigned linear_block) {
  unsigned n = block.x * block.y * block.z;
  blk = &b;
  b.done = 0, b.head = 0, b.static_used = 0, b.error.clear();
  b.rng = options.seed * 0x2545f4914f6cdd1dull + linear_block;
  b.statics.clear(), b.ready.clear();
  for (auto& x : b.bars) x = Barrier{};
  for (auto& w : b.warps) w.clear();
  b.warps.resize((n + 31) / 32);
  std::memset(b.smem, options.poison ? 0xff : 0, smem + kGuard + kStaticBytes);
  std::memset(b.smem + smem, 0xa5, kGuard);
  uint3 bid{linear_block % grid.x, linear_block / grid.x % grid.y, linear_block / grid.x / grid.y};
  std::vector<Fiber*> all;
  for (unsigned i = 0; i < n; ++i) {
    Fiber& f = b.fibers[i];
    f.id = Ids{{i % block.x, i / block.x % block.y, i / block.x / block.y},
               bid,
               block,
               grid,
               i % 32,
               i / 32,
               i};
    f.state = State::Ready;
    f.groups.clear();
    auto* top = reinterpret_cast<void**>(f.stack + 4096 + options.stack_bytes);
#if defined(__x86_64__)
    *--top = nullptr;  // so that the entry finds the stack as after a call
    *--top = reinterpret_cast<void*>(simt_fiber_main);
    for (int k = 0; k < 6; ++k) *--top = nullptr;
#else
    top -= 20;
    for (int k = 0; k < 20; ++k) top[k] = nullptr;
    top[11] = reinterpret_cast<void*>(simt_fiber_main);
#endif
    f.sp = top;
    all.push_back(&f);
  }
  make_ready(all);
  if (check_hooks)
    check_hooks->on_block_begin(b.smem, smem, kGuard + kStaticBytes, n, bid.x, b.fibers[0].stack);
  while (Fiber* f = pop_ready()) {
    pick(f);
    simt_switch(&b.sched_sp, f->sp);
    if (!b.error.empty()) break;
  }
  if (check_hooks) check_hooks->on_block_end();
  ids = nullptr;
  if (b.error.empty() && b.done != n) {
    std::string where;
    unsigned shown = 0;
    Site last{};
    for (auto& f : b.fibers)
      if (f.state == State::Waiting && (f.where.line != last.line) && shown++ < 6)
        where += " thread " + std::to_string(f.id.linear) + " at " + str(f.where) + ";",
            last = f.where;
    b.error = "deadlock: " + std::to_string(n - b.done) + " of " + std::to_string(n) +
              " threads wait for ever:" + where;
  }
  for (size_t i = 0; i < kGuard && b.error.empty(); ++i)
    if (b.smem[smem + i] != 0xa5)
      b.error = "a write past the dynamic shared memory, at byte " + std::to_string(smem + i) +
                " of " + std::to_string(smem);
  if (!b.error.empty()) throw std::runtime_error("simt: " + b.error);
}
}  // namespace

void launch_impl(dim3 grid, dim3 block, size_t smem, const std::function<void()>& body) {
  unsigned n = block.x * block.y * block.z, blocks = grid.x * grid.y * grid.z;
  if (n == 0 || n > 1024 || blocks == 0) throw std::runtime_error("simt: bad launch configuration");
  if (smem > 227 * 1024)
    throw std::runtime_error("simt: more than 227 KiB of dynamic shared memory");
  smem = (smem + 127) & ~size_t(127);
  std::atomic<unsigned> next{0};
  std::exception_ptr error;
  std::atomic<bool> failed{false};
  auto work = [&] {
    static thread_local Workplace place;
    Block& b = place.block;
    place.prepare(n, smem);
    b.body = &body;
    try {
      for (unsigned i; !failed && (i = next++) < blocks;) {
        unsigned pickd = options.order == Order::Reverse ? blocks - 1 - i : i;
        run_block(b, grid, block, smem, pickd);
      }
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
    blk = nullptr;
  };
  unsigned threads = check_hooks ? 1 : std::min(options.os_threads, blocks);
  std::vector<std::thread> pool;
  for (unsigned i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
  for (auto& t : pool) t.join();
  if (error) std::rethrow_exception(error);
}
}  // namespace simt
