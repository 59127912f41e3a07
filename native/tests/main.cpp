// The tests that jest cannot run: under the leak sanitizer, which sees nothing inside node, and
// under TSan without a JavaScript engine around them. Usage:
//   cachalot_tests [--turns N | --seconds N] [--seed N]
// Ends with "N passed, N failed"; the exit code says the same.

#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "base/check.h"
#include "tests/allocations.h"
#include "tests/choices.h"
#include "tests/chunks.h"
#include "tests/effort.h"
#include "tests/pools.h"
#include "tests/traffic.h"

namespace cachalot::tests {

namespace {

struct Settings {
  Effort effort;
  uint64_t seed = 1;
};

EngineOptions options(int context_length, int step_tokens, int n_slabs) {
  EngineOptions engine;
  engine.context_length = context_length;
  engine.step_tokens = step_tokens;
  engine.kv_bytes = static_cast<uint64_t>(n_slabs) * kSlabBytes;
  engine.kv_format = "f32";
  engine.grouping = "always";  // the scripted backend has no speed that could be measured
  engine.check_invariants = true;
  engine.always_drafts = true;
  return engine;
}

/** Thousands of random requests in a cache that holds a few of them: every token is the oracle's.
 */
std::string counting_oracle(const Settings& settings) {
  const Deadline deadline(settings.effort);
  int turns = 0;
  uint64_t seed = settings.seed;
  Traffic::Checked checked;
  int n_engines = 0;
  while (deadline.allows(turns)) {
    std::mt19937_64 random(seed);
    const int step_tokens = 1 + static_cast<int>(random() % 96);
    const bool is_crowded = n_engines % 3 == 2;
    const int n_slabs =
        (is_crowded ? 12 : 20) + static_cast<int>(random() % (is_crowded ? 24 : 60));
    Client client(options(512, step_tokens, n_slabs));
    Traffic traffic(client, seed++, {512, 1 + static_cast<int>(random() % 24), true, is_crowded});
    for (int i = 0; i < 400 && deadline.allows(turns); i++, turns++) traffic.act();
    traffic.finish();
    checked += traffic.checked();
    n_engines++;
    client.engine().clear_cache();
  }
  CHECK(checked.with_preamble > 0 && checked.with_edits > 0 && checked.with_window > 0 &&
            checked.right_guesses > 0,
        "something was checked");
  return std::to_string(checked.tokens) + " tokens of " + std::to_string(checked.requests) +
         " requests, " + std::to_string(checked.with_preamble) + " with a preamble, " +
         std::to_string(checked.with_edits) + " edited, " + std::to_string(checked.with_window) +
         " with a window, " + std::to_string(checked.right_guesses) + " of " +
         std::to_string(checked.guesses) + " guesses right, on " + std::to_string(n_engines) +
         " engines";
}

/** Eight users of one engine at once, each with texts, forks and aborts of its own, while others
 * make engines and leave them running. */
std::string concurrent_sessions(const Settings& settings) {
  const Deadline deadline(settings.effort);
  Client client(options(512, 64, 200));
  std::atomic<int> n_checked = 0, n_disposed = 0;
  std::atomic<bool> failed = false;
  std::string failure;
  std::mutex mutex;
  std::vector<std::thread> threads;
  const auto guarded = [&](const std::function<void()>& body, const std::function<void()>& last) {
    try {
      for (int turns = 0; deadline.allows(8 * turns) && !failed; turns++) body();
      if (!failed) last();
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      failure = error.what();
      failed = true;
    }
  };
  for (uint64_t user = 0; user < 8; user++) {
    threads.emplace_back([&, user] {
      Traffic traffic(client, settings.seed + 100 * user, {512, 3, true});
      guarded([&] { traffic.act(); }, [&] { traffic.finish(); });
      n_checked += traffic.checked().requests;
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(settings.seed);
    const auto leave_engine_running = [&] {
      Client other(options(256, 32, 60));
      for (int i = 0; i < 10; i++) {
        Request request;
        request.tokens = {1, 2, static_cast<int32_t>(random() % 100) + 20};
        request.max_tokens = 200;
        other.submit(request);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
      n_disposed++;
    };
    guarded(leave_engine_running, [] {});
  });
  for (auto& thread : threads) thread.join();
  CHECK(!failed, failure);
  const EngineStats stats = client.engine().stats();
  CHECK(n_checked > 0 && stats.steps > 0, "something was checked");
  return std::to_string(n_checked) + " requests of 8 users, " + std::to_string(n_disposed) +
         " engines disposed while generating";
}

/** After traffic of all kinds, pins included, all memory is free again. */
std::string memory_returns(const Settings& settings) {
  Client client(options(512, 64, 40));
  Traffic traffic(client, settings.seed, {512, 6, false});
  for (int i = 0; i < 200; i++) traffic.act();
  traffic.finish();
  client.engine().clear_cache();
  Request last;
  last.tokens = {1, 2, 3};
  last.max_tokens = 1;
  client.wait(client.submit(last));
  client.engine().clear_cache();
  client.wait(client.submit(last));
  const EngineStats stats = client.engine().stats();
  CHECK(stats.kv_bytes_in_use <= 2 * kSlabBytes, "nothing but the last request is held");
  return std::to_string(stats.steps) + " steps";
}

/** Each planted fault shows, as a wrong token or a broken rule, in traffic that is right without.
 */
std::string planted_faults_are_found(const Settings& settings) {
  constexpr std::pair<Fault, const char*> kFaults[] = {
      {Fault::kOneKeyTooMany, "one key too many"}, {Fault::kWrongShift, "a wrong shift"},
      {Fault::kStaleTail, "a stale tail"},         {Fault::kOtherOrder, "another order"},
      {Fault::kOtherHead, "another head's count"}, {Fault::kLostWeight, "a weight lost"},
      {Fault::kWrongEdit, "an edit too late"},     {Fault::kDirtyTail, "a dirty tail"},
      {Fault::kOtherGuess, "another guess's key"}};
  for (const auto& [fault, name] : kFaults) {
    bool is_found = false;
    for (uint64_t seed = settings.seed; seed < settings.seed + 20 && !is_found; seed++) {
      try {
        Client client(options(512, 64, 200), fault);
        Traffic traffic(client, seed, {512, 6, false});
        for (int i = 0; i < 200; i++) traffic.act();
        traffic.finish();
      } catch (const std::exception&) {
        is_found = true;
      }
    }
    CHECK(is_found, std::string("the oracle finds a planted fault: ") + name);
  }
  return std::to_string(std::size(kFaults)) + " faults";
}

/** While a request has not ended, another of its id is refused: their ends would be mixed up. */
std::string ids_are_unique(const Settings&) {
  std::mutex gate;  // the first token waits at it, and the request cannot end before
  const EngineOptions engine_options = options(512, 64, 40);
  const auto engine =
      assemble_engine(scripted_model(512), std::make_unique<ScriptedBackend>(), engine_options,
                      [&](StepEvents) { const std::lock_guard wait(gate); });
  std::unique_lock closed(gate);  // not before: loading reports its progress, too
  Request request;
  request.id = 7;
  request.tokens = {1, 2, 3};
  request.max_tokens = 50;
  engine->submit(request);
  std::optional<ErrorCode> refused;
  try {
    engine->submit(request);
  } catch (const Error& error) {
    refused = error.code();
  }
  closed.unlock();
  CHECK(refused == ErrorCode::kInvalidArgument, "an id in use is refused");
  return "refused";
}

std::string pools(const Settings& settings) {
  return pools_share_cores(settings.effort, settings.seed);
}

std::string chunks(const Settings& settings) { return chunks_keep_targets(settings.seed); }

std::string guesses(const Settings&) { return guesses_pay(); }

std::string allocations(const Settings& settings) {
  return every_allocation_may_fail(settings.effort, settings.seed);
}

struct Test {
  const char* name;
  std::string (*run)(const Settings&);
};
constexpr Test kTests[] = {
    {"counting oracle", counting_oracle},      {"concurrent sessions", concurrent_sessions},
    {"memory returns", memory_returns},        {"planted faults", planted_faults_are_found},
    {"ids are unique", ids_are_unique},        {"pools share cores", pools},
    {"chunks keep targets", chunks},           {"guesses pay", guesses},
    {"every allocation may fail", allocations}};

int run_all(const Settings& settings) {
  int n_failed = 0, n_passed = 0;
  for (const Test& test : kTests) {
    try {
      const std::string what = test.run(settings);
      std::printf("ok   %s: %s\n", test.name, what.c_str());
      n_passed++;
    } catch (const std::exception& error) {
      std::printf("FAIL %s (seed %llu): %s\n", test.name,
                  static_cast<unsigned long long>(settings.seed), error.what());
      n_failed++;
    }
  }
  std::printf("%d passed, %d failed\n", n_passed, n_failed);
  return n_failed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace cachalot::tests

int main(int argc, char** argv) {
  cachalot::tests::Settings settings;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) settings.effort.seconds = std::stod(argv[i + 1]);
    else if (std::strcmp(argv[i], "--turns") == 0) settings.effort.turns = std::stoi(argv[i + 1]);
    else if (std::strcmp(argv[i], "--seed") == 0) settings.seed = std::stoull(argv[i + 1]);
    else {
      std::printf("usage: cachalot_tests [--turns N | --seconds N] [--seed N]\n");
      return 2;
    }
  }
  return cachalot::tests::run_all(settings);
}
