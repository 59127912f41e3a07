// The loop, on its own thread: commands in, steps through the model, events out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "engine/execute.h"
#include "engine/scheduler.h"
#include "model/model_files.h"

namespace cachalot {

struct EngineOptions {
  std::string instructions = "auto";  // cpu: "auto", "avx512", "avx2", "portable"
  int threads = 0;                    // 0: one per core
  int context_length = 0;             // 0: what the model was trained for
  int step_tokens = 512;              // rows of a step
  uint64_t kv_bytes = 0;  // 0: a quarter of the machine's memory, at most what the contexts need
  std::string kv_format = "auto";  // "auto", "f32", "bf16"
  bool check_invariants = false;   // tests: after every step
};

/** Counters since the engine was made; a snapshot. */
struct EngineStats {
  uint64_t steps, rows, prompt_tokens, cached_tokens, generated_tokens;
  int waiting, running, segments;
  uint64_t kv_bytes_in_use, kv_bytes, weight_bytes;
};

/** The parts of an engine, as the composition root puts them together. */
struct EngineParts {
  ModelFiles files;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Decoder> model;
  std::unique_ptr<KvPool> pool;
  std::unique_ptr<PrefixTree> tree;
  int context_length;
  EngineOptions options;
};

class Engine {
 public:
  /** `sink` is called on the engine's thread, once per step and only with something to say. */
  Engine(EngineParts parts, std::function<void(StepEvents)> sink);
  ~Engine();  // waits for the step in flight; what is unfinished ends silently
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /** Queues a request. Throws invalid_argument or context_overflow. */
  void submit(Request request);
  /** Ends a request at the next step boundary with reason aborted; unknown ids are ignored. */
  void cancel(uint64_t id);
  /** Lets a pinned context go: its KV becomes ordinary cache. Unknown ids are ignored. */
  void unpin(uint64_t pin);
  /** Forgets all cached KV that no request uses and nothing pins, at the next step boundary. */
  void clear_cache();

  EngineStats stats() const;
  std::string device() const { return parts_.backend->description(); }
  KvFormat kv_format() const { return parts_.pool->store().format; }
  int context_length() const { return parts_.context_length; }
  const ModelConfig& config() const { return parts_.model->config(); }

 private:
  void loop();
  void take_commands(StepEvents* events);
  void run_step(StepEvents* events);
  void settle(const Step& step, const StepOutcome& outcome, StepEvents* events);
  std::optional<FinishReason> settle_entry(const StepEntry& entry, const StepOutcome& outcome,
                                           size_t output, StepEvents* events);
  void fail_engine(const std::string& why, StepEvents* events);
  void fail_step(const Step& step, const Error& error, StepEvents* events);
  void finish(std::unique_ptr<Sequence> sequence, FinishReason reason, const Error* error,
              StepEvents* events);
  void pin(const Request& request);
  void publish_stats();

  EngineParts parts_;
  Scheduler scheduler_;
  std::function<void(StepEvents)> sink_;
  EngineStats counters_{};  // the thread's own
  std::map<uint64_t, KvSegment*> pins_;
  std::vector<std::unique_ptr<Sequence>> unserviceable_;  // by the plan of this step

  mutable std::mutex mutex_;  // guards what follows, to the thread
  std::condition_variable wake_;
  std::vector<std::unique_ptr<Sequence>> submitted_;
  std::vector<uint64_t> cancelled_, unpinned_;
  bool clear_requested_ = false;
  bool stopping_ = false;
  std::string failure_;  // not empty once the loop has ended by itself
  EngineStats published_{};

  std::thread thread_;
};

}  // namespace cachalot
