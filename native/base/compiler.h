// The differences between compilers, in one place. Files of any instruction set may include it.
#pragma once

#if defined(_MSC_VER) && !defined(__clang__)
#define CACHALOT_RESTRICT __restrict
#else
#define CACHALOT_RESTRICT __restrict__
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define CACHALOT_X86 1
#else
#define CACHALOT_X86 0
#endif

namespace cachalot {

/** Tells the core that this is a spin loop: saves power, and yields to a sibling hyper-thread. */
static inline void spin_pause() {
#if CACHALOT_X86
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

}  // namespace cachalot
