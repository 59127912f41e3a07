#include "tests/chunks.h"

#include <algorithm>
#include <random>
#include <vector>

#include "base/check.h"
#include "schedule/chunk_control.h"

namespace cachalot::tests {

namespace {

constexpr double kDecodeMs = 6, kTargetMs = 12;
constexpr int kStepRows = 512, kSteps = 2000, kWarmUp = 40;

/** What a step takes: so much a row, a row and key, and a key; times scatter by a tenth. */
struct Machine {
  double ms_per_row, ms_per_row_key, ms_per_key;
  std::mt19937_64 random;

  double prompt_ms(const PromptWork& work) const {
    return ms_per_row * work.rows + ms_per_row_key * work.row_keys + ms_per_key * work.keys;
  }
  double step_ms(const PromptWork& work) {
    const double scatter = std::uniform_real_distribution(0.95, 1.05)(random);
    return (kDecodeMs + prompt_ms(work)) * scatter;
  }
  /** The rows that would fill the target. */
  int rows_for(const PromptWork& before, int depth) const {
    int n = 0;
    while (n < kStepRows && kDecodeMs + prompt_ms(before.with(n + 1, depth)) <= kTargetMs) n++;
    return n;
  }
};

struct Outcome {
  int n_late = 0;
  double used = 0;  // rows, of those that would fill the targets
};

/** Prompts that take turns, each as long as `length`. */
Outcome run(Machine machine, const std::vector<int>& depths, int length) {
  ChunkControl control(kTargetMs);
  for (int i = 0; i < 20; i++) control.learn(4, {}, machine.step_ms({}));
  std::vector<int> places = depths;
  int n_late = 0;
  double had = 0, could = 0;
  for (int step = 0; step < kSteps; step++) {
    const size_t turn = static_cast<size_t>(step) % places.size();
    PromptWork work;
    const int n = control.rows(4, work, places[turn], kStepRows);
    CHECK(n > 0 && n <= kStepRows, "a prompt goes on, within a step");
    const int fitting = machine.rows_for(work, places[turn]);
    work.add(n, places[turn]);
    const double ms = machine.step_ms(work);
    control.learn(4, work, ms);
    places[turn] = places[turn] + n > depths[turn] + length ? depths[turn] : places[turn] + n;
    if (step < kWarmUp || fitting < 8) continue;  // fewer than the least fit, or hardly more
    if (ms > kTargetMs) n_late++;
    had += n;
    could += fitting;
  }
  return {n_late, had / could};
}

}  // namespace

std::string chunks_keep_targets(uint64_t seed) {
  const std::vector<Machine> machines{{0.1, 2e-5, 1e-4, std::mt19937_64(seed)},
                                      {0.4, 1e-5, 0, std::mt19937_64(seed)},
                                      {0.02, 1e-4, 3e-4, std::mt19937_64(seed)}};
  int n_late = 0, n_runs = 0;
  double least = 1;
  for (const Machine& machine : machines) {
    for (const std::vector<int>& depths :
         std::vector<std::vector<int>>{{0}, {4000}, {0, 4000}, {100, 1000, 7000}}) {
      const Outcome outcome = run(machine, depths, 6000);
      CHECK(outcome.n_late <= kSteps / 100, "one step in a hundred is late at most");
      CHECK(outcome.used >= 0.6, "most of what the target leaves is used");
      n_late += outcome.n_late;
      least = std::min(least, outcome.used);
      n_runs++;
    }
  }
  // Without a target, and with nobody to wait, a step is full.
  CHECK(ChunkControl(0).rows(4, {}, 0, kStepRows) == kStepRows, "no target, no limit");
  CHECK(ChunkControl(kTargetMs).rows(0, {}, 0, kStepRows) == kStepRows, "nobody waits");
  return std::to_string(n_late) + " of " + std::to_string(n_runs * kSteps) +
         " steps late; of the rows that fit at least " +
         std::to_string(static_cast<int>(100 * least)) + " %";
}

}  // namespace cachalot::tests
