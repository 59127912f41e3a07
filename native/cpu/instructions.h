// Which instruction path runs, and on how many threads.
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace cachalot::cpu {

/** Instruction paths this machine can run, best first: "avx512", "avx2", "portable". */
std::vector<std::string> available_instructions();

/** `instructions`: "auto" or one of available_instructions(); else throws invalid_argument. */
const Kernels& choose_kernels(const std::string& instructions);

/** `threads`, or one per core for 0. */
int choose_threads(int threads);

}  // namespace cachalot::cpu
