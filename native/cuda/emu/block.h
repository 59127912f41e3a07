// The emulator's state of the block of threads that an OS thread is running.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cuda/emu/check.h"
#include "cuda/emu/simt.h"

namespace simt {

struct Copy {
  void* dst;
  const void* src;
  int bytes;
  Site site;
};
enum class State { Ready, Waiting, Done };

struct Fiber {
  Ids id;
  void* sp = nullptr;
  char* stack = nullptr;
  State state = State::Ready;
  Site where{};                           // the collective or barrier it waits in
  std::vector<std::vector<Copy>> groups;  // cp.async groups, the last one still open
};
struct Collective {
  uint32_t mask = 0, arrived = 0;
  WarpFn fn = nullptr;
  Site site{};
  void* args[32];
};
struct Barrier {
  unsigned arrived = 0, expected = 0;
  Site site{};
  std::vector<Fiber*> waiting;
};

struct Block {
  const std::function<void()>* body = nullptr;
  std::vector<Fiber> fibers;
  std::vector<std::vector<Collective>> warps;
  Barrier bars[16];
  std::vector<Fiber*> ready;
  size_t head = 0;
  unsigned done = 0;
  void* sched_sp = nullptr;
  Fiber* cur = nullptr;
  unsigned char* smem = nullptr;
  size_t smem_dyn = 0, static_used = 0;
  std::vector<std::pair<const void*, size_t>> statics;
  uint64_t rng = 1;
  std::string error;
};
constexpr size_t kStaticBytes = 48 << 10, kGuard = 1024;  // guard bytes lie behind the dynamic part
extern thread_local Block* blk;

uint64_t next_random();
std::string str(Site s);
/** Ends the launch with an error that names the block and the thread. */
[[noreturn]] void fail(const std::string& what);

}  // namespace simt
