// The events that the scheduler reports to the optional checker (check.cpp).
#pragma once
#include "cuda/emu/simt.h"
namespace simt {
struct CheckHooks {
  virtual ~CheckHooks() = default;
  virtual void on_block_begin(unsigned char* smem, size_t dyn, size_t stat, unsigned threads,
                              unsigned block, char* stacks) = 0;
  virtual void on_block_end() = 0;
  virtual void on_switch(unsigned thread) = 0;
  virtual void on_exec(bool begins) = 0;  // a warp collective is carried out
  virtual void on_warp_sync(unsigned warp, uint32_t mask) = 0;
  virtual void on_barrier_arrive(int id, unsigned thread) = 0;
  virtual void on_barrier_release(int id) = 0;
  virtual void on_barrier_leave(int id, unsigned thread) = 0;
  virtual void on_copy(const void* dst, bool lands, Site site) = 0;  // cp.async issued, then landed
  virtual void on_access(const void* p, unsigned bytes, bool store, Site site) = 0;
  virtual void on_request(const void* addr, unsigned bytes, bool store,
                          Site site) = 0;  // for the traffic counts
};
extern CheckHooks* check_hooks;
}  // namespace simt
