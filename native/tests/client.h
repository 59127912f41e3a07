// An engine over the scripted backend, and a client that waits for its answers.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/build.h"
#include "schedule/speculators/draft_memory.h"
#include "tests/scripted_backend.h"

namespace cachalot::tests {

/** All that an engine said of one request. */
struct Answer {
  Request request;
  std::vector<int32_t> tokens;
  FinishEvent finish{};
  bool finished = false;
};

class Client {
 public:
  explicit Client(const EngineOptions& options, Fault fault = Fault::kNone);

  /** Queues a request and returns its id. */
  uint64_t submit(Request request);
  /** Waits for a request's end and forgets it. Throws after a minute: something hangs. */
  Answer wait(uint64_t id);
  bool is_finished(uint64_t id);
  int n_tokens(uint64_t id);
  Engine& engine() { return *engine_; }

 private:
  void receive(StepEvents events);
  Drafter::Speculators guesser_of(const Sequence& sequence);

  const Fault fault_;
  DraftMemories memories_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Answer> answers_;
  uint64_t next_id_ = 1;
  std::unique_ptr<Engine> engine_;  // last: its thread ends before the members it reports to
};

/** Before the request's tokens. It reads the request's edits. */
Oracle oracle_of(const Request& request);

/** Throws unless the answer is the oracle's, whatever its kind and however it ended. */
void check_answer(const Answer& answer);

/** A text, and what stands before it. */
struct Text {
  std::vector<int32_t> tokens;
  RequestPreambleRef preamble;
  std::vector<ScheduledEdit> edits{};
  SequenceWindow window{};
};

/** The prompt and the answer. */
Text transcript(const Answer& answer);

}  // namespace cachalot::tests
