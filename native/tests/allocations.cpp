#include "tests/allocations.h"

#include <chrono>
#include <functional>
#include <new>
#include <optional>
#include <vector>

#include "base/check.h"
#include "tests/client.h"
#include "tests/failing_memory.h"

namespace cachalot::tests {

namespace {

constexpr int kSlabs = 14;  // so few that sequences are preempted and cache is evicted

EngineOptions options() {
  EngineOptions engine;
  engine.context_length = 256;
  engine.step_tokens = 48;
  engine.kv_bytes = uint64_t{kSlabs} * kSlabBytes;
  engine.kv_format = "f32";
  engine.grouping = "always";
  engine.check_invariants = true;
  return engine;
}

std::vector<int32_t> text(int n, int seed) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < n; i++) tokens.push_back(20 + (i * 7 + (i < 40 ? 0 : seed * 31)) % 900);
  return tokens;
}

Request request(RequestKind kind, int n_tokens, int seed) {
  Request made;
  made.kind = kind;
  made.tokens = text(n_tokens, seed);
  made.max_tokens = kind == RequestKind::kGenerate ? 12 : 0;
  if (kind == RequestKind::kLogits) made.rows = {1, 30, n_tokens - 1};
  if (kind == RequestKind::kPrefill) made.pin = static_cast<uint64_t>(seed);
  if (seed % 2 == 1) made.deadline_ms = 600'000;
  return made;
}

bool is_out_of_memory(const std::function<void()>& call) {
  try {
    const MayFail may(true);
    call();
    return false;
  } catch (...) {
    const Error error = current_error();
    CHECK(error.code() == ErrorCode::kOutOfMemory, error.what());
    return true;
  }
}

/** The answer is right, or there was no memory for it. */
void check(const Answer& answer) {
  const auto& error = answer.finish.error;
  if (error && error->code() == ErrorCode::kOutOfMemory) return;
  check_answer(answer);
}

/** Requests of all kinds at once: shared prefixes, a batch, a pin, one that is cancelled. */
void submit_all(Client& client, std::vector<uint64_t>* ids) {
  const auto submit = [&](Request made) {
    is_out_of_memory([&] { ids->push_back(client.submit(std::move(made))); });
  };
  for (int seed = 1; seed <= 4; seed++) submit(request(RequestKind::kGenerate, 60 + seed, seed));
  submit(request(RequestKind::kPrefill, 70, 7));
  submit(request(RequestKind::kScore, 50, 2));
  submit(request(RequestKind::kLogits, 45, 3));
  const bool has_batch = !is_out_of_memory([&] { client.engine().begin_batch(1, {40, 40, 0}); });
  for (int rank = 0; rank < 2; rank++) {
    Request item = request(RequestKind::kGenerate, 64, 10 + rank);
    item.batch = 1;
    item.batch_rank = rank;
    submit(std::move(item));
  }
  {
    // Calls that release something need no memory; if they asked for some, they would throw here.
    const MayFail may(true);
    if (has_batch) client.engine().skip_batch_item(1, 2);
    if (!ids->empty()) client.engine().cancel(ids->front());
  }
  is_out_of_memory([&] { client.engine().explain(); });
}

/** Once the memory is back, an engine that has not failed answers as if nothing had happened. */
bool still_answers(Client& client) {
  std::optional<uint64_t> id;
  const auto submit = [&] { id = client.submit(request(RequestKind::kGenerate, 61, 1)); };
  if (is_out_of_memory(submit)) return false;
  const Answer answer = client.wait(*id);
  if (answer.finish.error) {  // the engine failed before this request
    CHECK(answer.finish.error->code() == ErrorCode::kOutOfMemory, answer.finish.error->what());
    return false;
  }
  check_answer(answer);
  return true;
}

struct Count {
  int points = 0, loads = 0, engines = 0;  // points tried; loads and engines that failed
};

/** False if the job ended before its n-th allocation. */
bool run_with_failure(int64_t n, bool for_ever, Count* count) {
  std::optional<Client> client;
  std::vector<uint64_t> ids;
  bool failed = false;
  {
    const FailingMemory memory(n, for_ever);
    if (is_out_of_memory([&] { client.emplace(options()); })) {
      count->loads++;
      return true;
    }
    submit_all(*client, &ids);
    for (const uint64_t id : ids) {
      const Answer answer = client->wait(id);
      check(answer);
      if (answer.request.batch != 0) {  // as callers skip items that did not end well
        const MayFail may(true);
        client->engine().skip_batch_item(answer.request.batch, answer.request.batch_rank);
      }
      if (answer.request.pin == 0 || answer.finish.error) continue;
      const MayFail may(true);
      client->engine().unpin(answer.request.pin);
    }
    failed = memory.has_failed();
  }
  if (!still_answers(*client)) count->engines++;
  return failed;
}

}  // namespace

std::string every_allocation_may_fail(const Effort& effort, uint64_t seed) {
  const Deadline deadline(effort);
  constexpr int kTurnsOfPoint = 4;  // a point is a whole job
  const MayFail no(false);
  Count count;
  // In strides that come to each point in the end, so that a short time also reaches late points.
  constexpr int64_t kStride = 31;
  bool is_whole = true;
  for (const bool for_ever : {false, true}) {
    for (int64_t i = 0; i < kStride; i++) {
      for (int64_t n = 1 + (i * 12 + static_cast<int64_t>(seed)) % kStride;; n += kStride) {
        if (!deadline.allows(kTurnsOfPoint * count.points) && count.points > 0) {
          is_whole = false;
          break;
        }
        if (!run_with_failure(n, for_ever, &count)) break;
        count.points++;
      }
    }
  }
  CHECK(count.points > 0, "something failed");
  return std::to_string(count.points) + (is_whole ? " points, all that there are: " : " points: ") +
         std::to_string(count.loads) + " loads and " + std::to_string(count.engines) +
         " engines failed";
}

}  // namespace cachalot::tests
