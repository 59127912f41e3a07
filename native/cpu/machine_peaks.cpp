#include "cpu/machine_peaks.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "base/mapped_file.h"
#include "base/memory_region.h"
#include "base/system_memory.h"
#include "base/thread_pool.h"
#include "cpu/instructions.h"

namespace cachalot::cpu {

namespace {

constexpr int kRuns = 5;                     // the best one counts: others only slow it down
constexpr int64_t kSpinRounds = 4'000'000;   // tens of milliseconds
constexpr uint64_t kReadBytes = 1ull << 30;  // beyond any cache
constexpr int64_t kPieceBytes = 4ll << 20;
constexpr int64_t kPage = 4096;
constexpr uint64_t kLeastFile = 128ull << 20;

double best_rate(const std::function<double()>& work) {
  double best = 0;
  for (int run = 0; run < kRuns; run++) {
    const auto start = std::chrono::steady_clock::now();
    const double done = work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, done / took.count());
  }
  return best;
}

double spin_rate(ThreadPool& pool, double (*spin)(int64_t)) {
  return best_rate([&] {
    std::vector<double> done(static_cast<size_t>(pool.size()));
    pool.parallel_for(
        pool.size(), [&](int piece, int) { done[static_cast<size_t>(piece)] = spin(kSpinRounds); });
    double sum = 0;
    for (const double ops : done) sum += ops;
    return sum;
  });
}

double read_rate(ThreadPool& pool, const Kernels& kernels, const uint8_t* data, int pieces) {
  return best_rate([&] {
    pool.parallel_for(pieces, [&](int piece, int) {
      const volatile uint64_t kept = kernels.read_all(data + piece * kPieceBytes, kPieceBytes);
      (void)kept;
    });
    return static_cast<double>(pieces) * static_cast<double>(kPieceBytes);
  });
}

double read_rate_of_file(ThreadPool& pool, const Kernels& kernels, const std::string& path) {
  const MappedFile file(path);
  const auto bytes = std::min<uint64_t>(file.bytes().size(), kReadBytes);
  if (bytes < kLeastFile) return 0;  // caches would make the time shorter
  return read_rate(pool, kernels, file.bytes().data(), static_cast<int>(bytes / kPieceBytes));
}

double read_rate_of_memory(ThreadPool& pool, const Kernels& kernels) {
  const uint64_t room = std::min(kReadBytes, system_memory().left / 8);
  const auto pieces = static_cast<int>(room / kPieceBytes);
  const MemoryRegion region(static_cast<size_t>(pieces) * kPieceBytes);
  pool.parallel_for(pieces, [&](int piece, int) {  // a write gets real pages, near their reader
    uint8_t* data = region.data() + piece * kPieceBytes;
    for (int64_t at = 0; at < kPieceBytes; at += kPage) data[at] = 1;
  });
  return read_rate(pool, kernels, region.data(), pieces);
}

}  // namespace

MachinePeaks measure_peaks(const std::string& instructions, int threads, const std::string& file) {
  const Kernels& kernels = choose_kernels(instructions);
  ThreadPool pool(choose_threads(threads));
  MachinePeaks peaks;
  peaks.instructions = kernels.name;
  peaks.threads = pool.size();
  peaks.f32 = spin_rate(pool, kernels.spin_f32);
  peaks.bf16 = kernels.spin_bf16(1) == 0 ? 0 : spin_rate(pool, kernels.spin_bf16);
  peaks.int8 = spin_rate(pool, kernels.spin_int8);
  peaks.read_bytes_per_second = read_rate_of_memory(pool, kernels);
  if (!file.empty())
    peaks.read_bytes_per_second =
        std::max(peaks.read_bytes_per_second, read_rate_of_file(pool, kernels, file));
  return peaks;
}

}  // namespace cachalot::cpu
