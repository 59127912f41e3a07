// Measures the most that this machine can do, with which benchmarks compare.
#pragma once

#include <string>

namespace cachalot::cpu {

/** The peaks of all threads together. An operation is a multiplication or an addition. */
struct MachinePeaks {
  std::string instructions;
  int threads;
  double read_bytes_per_second;  // of memory far larger than any cache
  double f32, bf16, int8;        // operations per second; bf16 is 0 where there is no instruction
};

/** Takes about a second. `file`: if it is not empty, its pages are read as well as fresh memory,
 * and the faster counts: a virtual machine's older pages may lie better. Throws invalid_argument
 * for instructions that this machine lacks, and as MappedFile. */
MachinePeaks measure_peaks(const std::string& instructions, int threads, const std::string& file);

}  // namespace cachalot::cpu
