#include "cpu/instructions.h"

#include "base/compiler.h"
#include "base/cores.h"
#include "base/error.h"

namespace cachalot::cpu {

namespace {

#if CACHALOT_X86

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("avx512bf16") != 0 &&
         __builtin_cpu_supports("avx512vbmi") != 0;
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("f16c") != 0;
}

bool has_avxvnni() {
#if defined(__GNUC__) && !defined(__clang__)
  return has_avx2() && __builtin_cpu_supports("avxvnni") != 0;
#else
  return false;  // this compiler cannot ask the processor
#endif
}

#endif

/** Paths that this machine can run, best first. */
std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> paths;
#if CACHALOT_X86
  if (has_avx512()) paths.push_back(&kAvx512Kernels);
  if (has_avxvnni()) paths.push_back(&kAvxVnniKernels);
  if (has_avx2()) paths.push_back(&kAvx2Kernels);
#endif
  paths.push_back(&kPortableKernels);
  return paths;
}

}  // namespace

const Kernels& choose_kernels(const std::string& instructions) {
  std::string known;
  for (const Kernels* kernels : available_kernels()) {
    if (instructions == "auto" || instructions == kernels->name) return *kernels;
    known += std::string(", ") + kernels->name;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      "expected one of auto" + known + " for `instructions`, received '" + instructions + "'");
}

int choose_threads(int threads) { return threads > 0 ? threads : usable_cores(); }

std::vector<std::string> available_instructions() {
  std::vector<std::string> names;
  for (const Kernels* kernels : available_kernels()) names.emplace_back(kernels->name);
  return names;
}

}  // namespace cachalot::cpu
